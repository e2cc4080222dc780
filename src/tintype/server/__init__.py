"""The HTTP face: pictures at once, films and folders as jobs, live frames."""
