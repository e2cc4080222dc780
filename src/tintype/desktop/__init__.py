"""The live view: film, camera or stream, coloured in a window while it plays."""
