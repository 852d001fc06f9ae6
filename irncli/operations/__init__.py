"""Operations on image files, shared by the command line, the Python interface and `irn eval`.

`models` holds the models that are ready to run, `resolve` decides how a small image is restored,
and `downscale`, `decolor`, `restore` and `compress` define one operation each. An operation takes
models and an opened image, and returns a frozen `Result`. Operations do not read or write files,
and do not print anything.
"""
