"""usage: make_image.py LAYER.tar.gz LAYER.tar FOLDER: an OCI layout of one layer."""
import hashlib
import json
import os
import sys


def digest_of(path):
    state = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            state.update(block)
    return state.hexdigest()


def write_layout(packed, plain_digest, folder):
    """The file `packed`, whose decoded bytes have the sha256 `plain_digest` (hex), becomes the layer of the image in `folder`."""
    blobs = os.path.join(folder, "blobs", "sha256")
    os.makedirs(blobs, exist_ok=True)

    def put(document):
        data = json.dumps(document).encode()
        digest = hashlib.sha256(data).hexdigest()
        with open(os.path.join(blobs, digest), "wb") as out:
            out.write(data)
        return {"digest": "sha256:" + digest, "size": len(data)}

    layer = digest_of(packed)
    if not os.path.exists(os.path.join(blobs, layer)):
        os.link(packed, os.path.join(blobs, layer))
    config = put({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["bash"], "Env": ["PATH=/usr/bin:/bin"]},
                  "rootfs": {"type": "layers", "diff_ids": ["sha256:" + plain_digest]}, "history": [{"created_by": "mmdebstrap"}]})
    manifest = put({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config},
                    "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": "sha256:" + layer, "size": os.path.getsize(packed)}]})
    with open(os.path.join(folder, "index.json"), "w") as out:
        json.dump({"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", **manifest}]}, out)
    with open(os.path.join(folder, "oci-layout"), "w") as out:
        json.dump({"imageLayoutVersion": "1.0.0"}, out)


def main():
    packed, plain, folder = sys.argv[1:4]
    write_layout(packed, digest_of(plain), folder)


if __name__ == "__main__":
    main()
