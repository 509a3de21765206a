from smartcity.truth import folder_beside


def test_the_truth_of_a_generated_city_is_found_beside_its_files_and_folders(tmp_path):
    for name in ("trips", "truth"):
        (tmp_path / name).mkdir()
    file = tmp_path / "trips" / "yellow.parquet"
    assert folder_beside([str(file)]) is None
    (tmp_path / "generated.json").write_text("{}")
    for given in (file, file.parent, tmp_path):
        assert folder_beside(["elsewhere.csv", str(given)]) == tmp_path / "truth"
