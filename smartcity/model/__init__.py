"""The model: what it is trained on, exported, judged, registered and served by. Only here the core meets MLflow."""
