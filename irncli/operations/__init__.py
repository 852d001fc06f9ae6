"""What irn does to an image file, once for the command line, the Python interface and eval.

`models` holds the models that are ready to run, `resolve` decides how a small image is restored,
and `downscale`, `decolor`, `restore` and `compress` have an operation each. An operation takes
models and an opened image and returns a frozen `Result`; it reads and writes no files and prints
nothing.
"""
