"""Makes an image from sources and an artefact: descriptions, compilers, ESP-IDF, and what an image takes."""
