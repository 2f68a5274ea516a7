"""The pure part of workspace-tuning: data in, plans and reports out. It knows no pyinfra."""
