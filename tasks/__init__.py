"""The pyinfra side: one deploy step a file. Arrows run one way: deploy.py -> tasks -> converge."""
