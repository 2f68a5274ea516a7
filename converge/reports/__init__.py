"""Reports of a run, all from the journal alone: ``model`` reads it, the others write."""
