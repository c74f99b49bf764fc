"""The 17 images of 2018 are malicious, each for the right reason and in the right layer; a clean image is clean."""
import support
import images
import incident_2018


def test_each_of_the_17_images_is_malicious_for_the_right_reason():
    samples = incident_2018.images()
    assert len(samples) == 17
    with support.temporary_folder() as folder:
        for name, (image, expected) in samples.items():
            path = f"{folder}/{name}"
            images.write_layout(path, {"latest": image})
            _, report, _ = support.scan(f"oci:{path}", check=1)
            assert report["verdict"] == "malicious", f"{name}: {report['verdict']} {report['reasons']}"
            convicting = [f for f in report["findings"] if f["weight"] >= 60]
            wanted_layer = images.digest(image.layers[expected["layer"]]) if expected["layer"] is not None else ""
            right = [f for f in convicting
                     if f["category"] in expected["category"] and f["location"]["path"] == expected["path"] and f["location"]["layer"] == wanted_layer]
            assert right, f"{name}: no {expected} among {[(f['rule'], f['location']['path'], f['weight']) for f in convicting]}"


def test_a_clean_image_is_clean():
    with support.temporary_folder() as folder:
        images.write_layout(folder, {"latest": incident_2018.clean_image()})
        _, report, _ = support.scan(f"oci:{folder}", check=0)
        assert report["verdict"] == "clean", report["reasons"]


def test_the_report_does_not_depend_on_the_number_of_threads():
    with support.temporary_folder() as folder:
        images.write_layout(folder, {name: image for name, (image, _) in incident_2018.images().items()})
        reports = [support.scan(f"oci:{folder}", "--jobs", jobs)[1] for jobs in ("1", "2", "7")]
        assert reports[0] == reports[1] == reports[2]


if __name__ == "__main__":
    support.main(globals())
