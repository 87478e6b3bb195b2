"""From a typed configuration to a finished folder: train, evaluate, compare."""
