"""The model: what it is trained on, how it is exported, judged, registered and served. Only here the core meets MLflow."""
