"""What can be measured on a trained model, a topic a module or folder."""
