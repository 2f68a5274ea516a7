"""Evaluating, building and activating the Nix layers for tests."""
