"""One module a contender: ``prepare()`` returns a function that runs one training step."""
