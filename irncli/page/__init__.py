"""`irn page`: a folder with a static web page that restores small images without Python."""
