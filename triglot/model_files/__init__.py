"""What is read of a model's folder: named files, checked, as links or arrays; safetensors alone."""
