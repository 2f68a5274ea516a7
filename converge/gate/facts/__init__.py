"""One module per subject. In: profile, machine, settings in force. Out: a verdict per fact."""
