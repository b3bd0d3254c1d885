"""From sources and an artefact to an image: descriptions, compilers, ESP-IDF, and what an image takes."""
