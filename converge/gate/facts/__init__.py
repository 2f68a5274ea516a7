"""One module per subject: a look at profile and machine goes in, a verdict per fact comes out."""
