"""Files of the show: taken in, kept by their content, given out."""
