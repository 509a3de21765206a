#!/bin/sh
# One database for each program that keeps state; run once by the image, when the volume is empty.
set -eu
for name in serving mlflow airflow; do
  psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --command "CREATE DATABASE $name"
done
