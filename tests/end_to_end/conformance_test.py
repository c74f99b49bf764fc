"""The distribution specification, section by section, against `lazaret serve`."""
import http.client
import json
import re
import socket

import support  # first: it sets the path
from images import File, Image, layer
from serve_support import INDEX, MANIFEST, Client, Server, clean_image, descriptor, index_of, sha256, sha512

FOLDER = support.temporary_folder()
SERVER = Server(FOLDER.name)
ALICE, NOBODY, BOB = Client(SERVER, "alice"), Client(SERVER), Client(SERVER, "bob")
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"


def released(repository, tag="t", image=None):
    image = image or clean_image(repository + tag)
    answer, digest, blobs = ALICE.push(repository, tag, image)
    assert answer.status == 201, answer
    return digest, blobs, image.manifest()[0]


def artifact(repository, subject=None, artifact_type=None, annotations=None, config_type=EMPTY_TYPE, body=b"content"):
    for data in (b"{}", body):
        assert ALICE.push_blob(repository, data).status == 201
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(b"{}", config_type), "layers": [descriptor(body, "text/plain")]}
    if subject:
        document["subject"] = subject
    if artifact_type:
        document["artifactType"] = artifact_type
    if annotations:
        document["annotations"] = annotations
    return json.dumps(document).encode()


# --- determining support

def test_v2_says_that_this_is_a_registry():
    answer = ALICE.get("/v2/")
    assert answer.status == 200 and answer.json() == {}, answer
    answer = NOBODY.get("/v2/")
    assert answer.status == 401 and answer.headers["WWW-Authenticate"], answer
    assert Client(SERVER, "alice", "wrong").get("/v2/").status == 401
    assert NOBODY.get("/v3/").status == 404
    assert NOBODY.get("/v2/x").code() == "NAME_UNKNOWN"


# --- pulling

def test_pull_manifests():
    digest, _, document = released("alice/pull")
    for reference in ("t", digest):
        answer = NOBODY.get(f"/v2/alice/pull/manifests/{reference}", Accept=MANIFEST)
        assert answer.status == 200 and answer.body == document
        assert answer.headers["Content-Type"] == MANIFEST and answer.headers["Docker-Content-Digest"] == digest
        head = NOBODY.head(f"/v2/alice/pull/manifests/{reference}")
        assert head.status == 200 and head.body == b"" and head.headers["Content-Length"] == str(len(document)) and head.headers["Docker-Content-Digest"] == digest
    for path in ("alice/pull/manifests/none", "alice/pull/manifests/" + sha256(b"none"), "alice/nothing/manifests/t"):
        for method in ("GET", "HEAD"):
            assert NOBODY.request(method, "/v2/" + path).status == 404, path
    assert NOBODY.get("/v2/alice/pull/manifests/none").code() == "MANIFEST_UNKNOWN"
    for bad in ("sha256:abc", "md5:" + "0" * 32, "sha256:" + "A" * 64, "sha256:..%2f..", "sha512:" + "0" * 64):
        assert NOBODY.get(f"/v2/alice/pull/manifests/{bad}").status in (400, 404), bad
    etag = answer.headers["ETag"]
    assert NOBODY.get("/v2/alice/pull/manifests/t", If_None_Match=etag).status == 304


def test_pull_blobs():
    _, blobs, _ = released("alice/blobs")
    digest, data = max(blobs.items(), key=lambda pair: len(pair[1]))
    path = f"/v2/alice/blobs/blobs/{digest}"
    answer = NOBODY.get(path, Accept_Encoding="zstd, gzip, deflate")
    assert answer.status == 200 and answer.body == data and answer.headers["Docker-Content-Digest"] == digest and "Content-Encoding" not in answer.headers
    head = NOBODY.head(path)
    assert head.status == 200 and head.headers["Content-Length"] == str(len(data)) and head.headers["Docker-Content-Digest"] == digest
    for header, part in (("bytes=0-9", data[:10]), ("bytes=5-", data[5:]), ("bytes=-7", data[-7:]), (f"bytes=3-{len(data) + 100}", data[3:])):
        answer = NOBODY.get(path, Range=header)
        assert answer.status == 206 and answer.body == part, (header, answer)
        assert re.fullmatch(rf"bytes \d+-\d+/{len(data)}", answer.headers["Content-Range"]), answer
    answer = NOBODY.get(path, Range=f"bytes={len(data)}-")
    assert answer.status == 416 and answer.headers["Content-Range"] == f"bytes */{len(data)}", answer
    assert NOBODY.get(path, Range="bytes=0-1,5-6").status in (200, 206)
    assert NOBODY.get(path, Range="bytes=0-9", If_Range='"sha256:other"').status == 200
    assert NOBODY.get(path, Range="bytes=" + ",".join(f"{i}-{i}" for i in range(0, 2000, 2))).status == 200
    assert NOBODY.get("/v2/alice/blobs/blobs/" + sha256(b"none")).code() == "BLOB_UNKNOWN"
    assert NOBODY.get("/v2/alice/nothing/blobs/" + digest).status == 404
    assert NOBODY.get("/v2/alice/blobs/blobs/sha256:short").code() == "DIGEST_INVALID"


# --- pushing blobs

def test_push_a_blob_with_post_and_put():
    location = ALICE.start_upload("alice/push")
    assert re.fullmatch(r"/v2/alice/push/blobs/uploads/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", location), location
    data = b"monolithic"
    answer = ALICE.request("PUT", f"{location}?digest={sha256(data)}", body=data, headers={"Content-Type": "application/octet-stream"})
    assert answer.status == 201 and answer.headers["Location"] == "/v2/alice/push/blobs/" + sha256(data) and answer.headers["Docker-Content-Digest"] == sha256(data), answer
    assert ALICE.get(answer.headers["Location"]).body == data
    assert ALICE.get(location).code() == "BLOB_UPLOAD_UNKNOWN", "the session is over"


def test_push_a_blob_with_one_post():
    data = b"single post"
    answer = ALICE.request("POST", f"/v2/alice/push/blobs/uploads/?digest={sha256(data)}", body=data)
    assert answer.status == 201 and ALICE.get(answer.headers["Location"]).body == data
    answer = ALICE.request("POST", f"/v2/alice/push/blobs/uploads/?digest={sha256(b'other')}", body=data)
    assert answer.status == 400 and answer.code() == "DIGEST_INVALID", answer
    assert ALICE.request("POST", "/v2/alice/push/blobs/uploads/?digest=sha256:x", body=data).status == 400
    wide = sha512(data)
    answer = ALICE.request("POST", f"/v2/alice/push/blobs/uploads/?digest={wide}", body=data)
    assert answer.status == 201 and answer.headers["Docker-Content-Digest"] == wide
    assert ALICE.get(f"/v2/alice/push/blobs/{wide}").body == data


def test_push_a_blob_in_chunks():
    location = ALICE.start_upload("alice/chunks")
    data = bytes(range(256)) * 100
    for begin in range(0, len(data), 7000):
        piece = data[begin:begin + 7000]
        answer = ALICE.request("PATCH", location, body=piece, headers={"Content-Range": f"{begin}-{begin + len(piece) - 1}", "Content-Type": "application/octet-stream"})
        assert answer.status == 202 and answer.headers["Range"] == f"0-{begin + len(piece) - 1}", answer
        location = answer.headers["Location"]
        status = ALICE.get(location)
        assert status.status == 204 and status.headers["Range"] == f"0-{begin + len(piece) - 1}" and status.headers["Location"] == location
    # A gap, and what was there already: 416, and the session goes on.
    for begin in (0, len(data) + 1, len(data) - 1):
        answer = ALICE.request("PATCH", location, body=b"xy", headers={"Content-Range": f"{begin}-{begin + 1}"})
        assert answer.status == 416 and answer.headers["Range"] == f"0-{len(data) - 1}", answer
    assert ALICE.request("PATCH", location, body=b"xy", headers={"Content-Range": f"{len(data)}-{len(data) + 9}"}).code() == "SIZE_INVALID"
    assert ALICE.request("PATCH", location, body=b"xy", headers={"Content-Range": "nonsense"}).status == 400
    answer = ALICE.request("PUT", f"{location}?digest={sha256(data + b'end')}", body=b"end", headers={"Content-Range": f"{len(data) + 5}-{len(data) + 7}"})
    assert answer.status == 416, answer
    answer = ALICE.request("PUT", f"{location}?digest={sha256(data + b'end')}", body=b"end", headers={"Content-Range": f"{len(data)}-{len(data) + 2}"})
    assert answer.status == 201, answer
    assert ALICE.get(answer.headers["Location"]).body == data + b"end"


def test_push_a_stream():
    """docker: PATCH without Content-Range, chunked encoding, then PUT without a body."""
    location = ALICE.start_upload("alice/stream")
    data = [b"a" * 1000, b"b" * 100_000, b"c"]
    answer = ALICE.request("PATCH", location, body=iter(data))
    assert answer.status == 202 and answer.headers["Range"] == f"0-{sum(map(len, data)) - 1}", answer
    whole = b"".join(data)
    answer = ALICE.request("PUT", f"{answer.headers['Location']}?digest={sha256(whole)}", headers={"Content-Length": "0"})
    assert answer.status == 201 and ALICE.get(answer.headers["Location"]).body == whole


def test_content_range_as_old_clients_have_it():
    location = ALICE.start_upload("alice/old")
    assert ALICE.request("PATCH", location, body=b"12345", headers={"Content-Range": "bytes 0-4/*"}).status == 202
    assert ALICE.request("PUT", f"{location}?digest={sha256(b'12345')}").status == 201


def test_a_wrong_digest_leaves_the_upload():
    location = ALICE.start_upload("alice/wrong")
    assert ALICE.request("PATCH", location, body=b"right").status == 202
    assert ALICE.request("PUT", f"{location}?digest={sha256(b'wrong')}").code() == "DIGEST_INVALID"
    assert ALICE.request("PUT", f"{location}?digest={sha512(b'wrong')}").code() == "DIGEST_INVALID"
    assert ALICE.request("PUT", location).code() == "DIGEST_INVALID", "the digest is required"
    assert ALICE.request("PUT", f"{location}?digest={sha512(b'right')}").status == 201
    assert ALICE.get(f"/v2/alice/wrong/blobs/{sha256(b'right')}").body == b"right"


def test_an_upload_that_is_cut_goes_on():
    location = ALICE.start_upload("alice/cut")
    with socket.create_connection(("127.0.0.1", SERVER.port)) as connection:
        head = f"PATCH {location} HTTP/1.1\r\nHost: x\r\nAuthorization: {ALICE.headers()['Authorization']}\r\nContent-Length: 1000\r\n\r\n"
        connection.sendall(head.encode() + b"x" * 400)
    # The server takes notice of the end in its own time, and of the bytes before it has as many as it had read.
    whole = b"x" * 400 + b"y" * 600
    for _ in range(1000):
        status = ALICE.get(location)
        if status.status != 204:
            continue
        last = int(status.headers["Range"].split("-")[1])
        begin = last + 1 if last > 0 else 0
        answer = ALICE.request("PATCH", location, body=whole[begin:], headers={"Content-Range": f"{begin}-999"})
        if answer.status == 202:
            break
        assert answer.status == 416, answer
    assert answer.status == 202 and answer.headers["Range"] == "0-999", answer
    assert ALICE.request("PUT", f"{location}?digest={sha256(b'x' * 400 + b'y' * 600)}").status == 201


def test_digest_algorithm():
    location = ALICE.start_upload("alice/wide", "?digest-algorithm=sha512")
    assert ALICE.request("PATCH", location, body=b"wide").status == 202
    assert ALICE.request("PUT", f"{location}?digest={sha512(b'wide')}").status == 201
    assert ALICE.request("POST", "/v2/alice/wide/blobs/uploads/?digest-algorithm=md5", headers={"Content-Length": "0"}).status == 400


def test_cancel_an_upload():
    location = ALICE.start_upload("alice/cancel")
    assert ALICE.request("PATCH", location, body=b"never mind").status == 202
    assert BOB.request("DELETE", location).status in (403, 404)
    assert ALICE.request("DELETE", location).status == 204
    assert ALICE.get(location).code() == "BLOB_UPLOAD_UNKNOWN"
    assert ALICE.request("DELETE", location).status == 404


def test_empty_blobs():
    assert ALICE.push_blob("alice/empty", b"").status == 201
    answer = ALICE.get(f"/v2/alice/empty/blobs/{sha256(b'')}")
    assert answer.status == 200 and answer.body == b"" and answer.headers["Content-Length"] == "0"
    assert ALICE.get(f"/v2/alice/empty/blobs/{sha256(b'')}", Range="bytes=0-0").status == 416


def test_mount():
    _, blobs, _ = released("alice/source")
    digest, data = next(iter(blobs.items()))
    answer = ALICE.request("POST", f"/v2/alice/target/blobs/uploads/?mount={digest}&from=alice/source", headers={"Content-Length": "0"})
    assert answer.status == 201 and answer.headers["Location"] == f"/v2/alice/target/blobs/{digest}" and answer.headers["Docker-Content-Digest"] == digest, answer
    assert ALICE.get(answer.headers["Location"]).body == data
    answer = ALICE.request("POST", f"/v2/alice/target2/blobs/uploads/?mount={digest}", headers={"Content-Length": "0"})
    assert answer.status == 201, "from is optional"
    answer = ALICE.request("POST", f"/v2/alice/target/blobs/uploads/?mount={sha256(b'none')}&from=alice/source", headers={"Content-Length": "0"})
    assert answer.status == 202 and "/blobs/uploads/" in answer.headers["Location"], answer
    assert ALICE.request("POST", "/v2/alice/target/blobs/uploads/?mount=nonsense&from=alice/source", headers={"Content-Length": "0"}).status == 400


# --- pushing manifests

def test_push_manifests():
    image = clean_image("manifests")
    document, blobs = image.manifest()
    answer = ALICE.put_manifest("alice/manifests", "early", document)
    assert answer.status == 404 and answer.code() == "MANIFEST_BLOB_UNKNOWN", answer
    for data in blobs.values():
        ALICE.push_blob("alice/manifests", data)
    answer = ALICE.put_manifest("alice/manifests", "t", document)
    assert answer.status == 201 and answer.headers["Docker-Content-Digest"] == sha256(document), answer
    assert NOBODY.get(answer.headers["Location"]).body == document
    spaced = document.replace(b"{", b"{ \n\t", 1)
    assert ALICE.put_manifest("alice/manifests", sha256(spaced), spaced).status == 201
    assert NOBODY.get(f"/v2/alice/manifests/manifests/{sha256(spaced)}").body == spaced, "the exact bytes"
    assert ALICE.put_manifest("alice/manifests", sha256(b"other"), document).code() == "DIGEST_INVALID"
    assert ALICE.put_manifest("alice/manifests", "-bad-tag", document).status == 400
    assert ALICE.put_manifest("alice/manifests", "t" * 129, document).status == 400
    assert ALICE.put_manifest("alice/manifests", "t" * 128, document).status == 201
    assert ALICE.put_manifest("alice/manifests", "u", b"{not json").code() == "MANIFEST_INVALID"
    assert ALICE.put_manifest("alice/manifests", "u", document, "text/html").code() == "MANIFEST_INVALID"
    assert ALICE.put_manifest("alice/manifests", "u", document, MANIFEST + "; charset=utf-8").status == 201
    assert NOBODY.get("/v2/alice/manifests/manifests/u").headers["Content-Type"] == MANIFEST
    assert ALICE.put_manifest("alice/manifests", "v", document, None).status == 201


def test_tags_of_a_push_by_digest():
    _, _, document = released("alice/tagged")
    tags = [f"v{i}" for i in range(12)]
    answer = ALICE.request("PUT", f"/v2/alice/tagged/manifests/{sha256(document)}?" + "&".join(f"tag={tag}" for tag in tags), body=document, headers={"Content-Type": MANIFEST})
    assert answer.status == 201, answer
    assert [tag.strip() for line in answer.headers.get_all("OCI-Tag") for tag in line.split(",")] == tags
    for tag in tags:
        assert NOBODY.head(f"/v2/alice/tagged/manifests/{tag}").headers["Docker-Content-Digest"] == sha256(document)
    assert ALICE.request("PUT", f"/v2/alice/tagged/manifests/{sha256(document)}?tag=-x", body=document, headers={"Content-Type": MANIFEST}).status == 400


def test_a_tag_answers_with_the_digest_it_was_pushed_by():
    _, _, document = released("alice/wide")
    for name, other in ((sha512(document), sha256(document)), (sha256(document), sha512(document))):
        answer = ALICE.request("PUT", f"/v2/alice/wide/manifests/{name}?tag=w", body=document, headers={"Content-Type": MANIFEST})
        assert answer.status == 201, answer
        for method in ("GET", "HEAD"):
            assert NOBODY.request(method, "/v2/alice/wide/manifests/w").headers["Docker-Content-Digest"] == name
        assert NOBODY.head("/v2/alice/wide/manifests/t").headers["Docker-Content-Digest"] == sha256(document), "another tag of it"
        assert NOBODY.head(f"/v2/alice/wide/manifests/{other}").headers["Docker-Content-Digest"] == other


def test_large_manifests():
    document = json.loads(artifact("alice/large"))
    room = (4 << 20) - len(json.dumps({**document, "annotations": {"x": ""}}).encode())
    largest = json.dumps({**document, "annotations": {"x": "a" * room}}).encode()
    assert len(largest) == 4 << 20
    answer = ALICE.put_manifest("alice/large", "t", largest)
    assert answer.status == 201, answer
    assert NOBODY.get("/v2/alice/large/manifests/t").body == largest
    answer = ALICE.put_manifest("alice/large", "u", largest + b" ")
    assert answer.status == 413, answer


def test_docker_types_indexes_in_indexes_and_artifacts():
    _, blobs, document = released("alice/kinds")
    docker = json.loads(document)
    docker["mediaType"] = "application/vnd.docker.distribution.manifest.v2+json"
    docker["config"]["mediaType"] = "application/vnd.docker.container.image.v1+json"
    for entry in docker["layers"]:
        entry["mediaType"] = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    docker = json.dumps(docker).encode()
    assert ALICE.put_manifest("alice/kinds", "docker", docker, "application/vnd.docker.distribution.manifest.v2+json").status == 201
    listing = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
                          "manifests": [descriptor(docker, "application/vnd.docker.distribution.manifest.v2+json", platform={"os": "linux", "architecture": "amd64"})]}).encode()
    assert ALICE.put_manifest("alice/kinds", "list", listing, "application/vnd.docker.distribution.manifest.list.v2+json").status == 201
    inner = index_of(document)
    assert ALICE.put_manifest("alice/kinds", "inner", inner, INDEX).status == 201
    outer = index_of(inner, document, annotations={"a": "b"})
    assert ALICE.put_manifest("alice/kinds", "outer", outer, INDEX).status == 201
    for tag, body, kind in (("docker", docker, "application/vnd.docker.distribution.manifest.v2+json"), ("outer", outer, INDEX), ("inner", inner, INDEX)):
        answer = NOBODY.get(f"/v2/alice/kinds/manifests/{tag}")
        assert answer.body == body and answer.headers["Content-Type"] == kind
    assert ALICE.put_manifest("alice/kinds", "empty", index_of(), INDEX).status == 201
    assert ALICE.put_manifest("alice/kinds", "artifact", artifact("alice/kinds", artifact_type="application/vnd.example+type")).status == 201


def test_subjects():
    digest, _, document = released("alice/subject")
    subject = descriptor(document, MANIFEST)
    answer = ALICE.put_manifest("alice/subject", "sig", artifact("alice/subject", subject))
    assert answer.status == 201 and answer.headers["OCI-Subject"] == digest, answer
    missing = descriptor(b"{}" * 9, MANIFEST)
    answer = ALICE.put_manifest("alice/subject", "early", artifact("alice/subject", missing))
    assert answer.status == 201 and answer.headers["OCI-Subject"] == missing["digest"], answer


# --- content discovery

def test_tags():
    image = clean_image("tags")
    for tag in ("b", "a", "C", "B", "10", "9", "_x"):
        assert ALICE.push("alice/tags", tag, image)[0].status == 201
    every = sorted(["b", "a", "C", "B", "10", "9", "_x"])
    answer = NOBODY.get("/v2/alice/tags/tags/list")
    assert answer.json() == {"name": "alice/tags", "tags": every} and "Link" not in answer.headers, answer
    assert NOBODY.get("/v2/alice/tags/tags/list?n=0").json()["tags"] == [] and "Link" not in NOBODY.get("/v2/alice/tags/tags/list?n=0").headers
    assert NOBODY.get("/v2/alice/tags/tags/list?n=2").json()["tags"] == every[:2]
    assert NOBODY.get("/v2/alice/tags/tags/list?n=2&last=B").json()["tags"] == every[every.index("B") + 1:][:2]
    assert NOBODY.get("/v2/alice/tags/tags/list?last=B").json()["tags"] == every[every.index("B") + 1:]
    assert NOBODY.get("/v2/alice/tags/tags/list?last=Aaa").json()["tags"] == [tag for tag in every if tag > "Aaa"], "last need not exist"
    assert NOBODY.get("/v2/alice/tags/tags/list?n=99999999999999999999").json()["tags"] == every
    assert NOBODY.get("/v2/alice/tags/tags/list?n=-1").status == 400 and NOBODY.get("/v2/alice/tags/tags/list?n=x").status == 400
    seen, path = [], "/v2/alice/tags/tags/list?n=3"
    while path:
        answer = NOBODY.get(path)
        seen += answer.json()["tags"]
        path = re.fullmatch(r'<(.*)>; rel="next"', answer.headers["Link"]).group(1) if "Link" in answer.headers else None
    assert seen == every
    assert NOBODY.get("/v2/alice/none/tags/list").code() == "NAME_UNKNOWN"
    digest = NOBODY.head("/v2/alice/tags/manifests/a").headers["Docker-Content-Digest"]
    ALICE.request("DELETE", f"/v2/alice/tags/manifests/{digest}")
    assert ALICE.get("/v2/alice/tags/tags/list").json() == {"name": "alice/tags", "tags": []}


def test_catalog():
    for name in ("alice/cat-b", "alice/cat-a"):
        released(name)
    names = NOBODY.get("/v2/_catalog").json()["repositories"]
    assert names == sorted(names) and "alice/cat-a" in names
    seen, path = [], "/v2/_catalog?n=2"
    while path:
        answer = NOBODY.get(path)
        seen += answer.json()["repositories"]
        path = re.fullmatch(r'<(.*)>; rel="next"', answer.headers["Link"]).group(1) if "Link" in answer.headers else None
    assert seen == names
    assert NOBODY.get("/v2/_catalog?n=0").json() == {"repositories": []}


def test_the_catalog_with_a_token_for_it():
    released("alice/listed")
    answer = ALICE.get("/token?service=lazaret&scope=registry:catalog:*")
    assert answer.status == 200, answer
    bearer = {"Authorization": "Bearer " + answer.json()["token"]}
    assert "alice/listed" in Client(SERVER).request("GET", "/v2/_catalog", headers=bearer).json()["repositories"]
    assert Client(SERVER).request("POST", "/v2/alice/listed/blobs/uploads/", headers=bearer).status == 401, "it allows no more than to pull"


def test_referrers():
    digest, _, document = released("alice/refs")
    subject = descriptor(document, MANIFEST)
    empty = NOBODY.get(f"/v2/alice/refs/referrers/{digest}")
    assert empty.status == 200 and empty.headers["Content-Type"] == INDEX and empty.json()["manifests"] == [] and empty.json()["schemaVersion"] == 2
    assert NOBODY.get(f"/v2/alice/refs/referrers/{sha256(b'none')}").json()["manifests"] == []
    assert NOBODY.get(f"/v2/alice/unheard/referrers/{sha256(b'none')}").status == 200
    assert NOBODY.get("/v2/alice/refs/referrers/sha256:bad").status == 400
    one = artifact("alice/refs", subject, "application/vnd.one", {"k": "v", "quote": '"'})
    two = artifact("alice/refs", subject, None, None, "application/vnd.two.config")
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "subject": subject, "annotations": {"i": "x"}}).encode()
    for body, kind in ((one, MANIFEST), (two, MANIFEST), (index, INDEX)):
        assert ALICE.put_manifest("alice/refs", sha256(body), body, kind).status == 201
    found = {entry["digest"]: entry for entry in NOBODY.get(f"/v2/alice/refs/referrers/{digest}").json()["manifests"]}
    assert set(found) == {sha256(one), sha256(two), sha256(index)}
    assert found[sha256(one)] == {"mediaType": MANIFEST, "digest": sha256(one), "size": len(one), "artifactType": "application/vnd.one", "annotations": {"k": "v", "quote": '"'}}
    assert found[sha256(two)]["artifactType"] == "application/vnd.two.config", "of the config when there is none"
    assert "artifactType" not in found[sha256(index)] and found[sha256(index)]["annotations"] == {"i": "x"}
    answer = NOBODY.get(f"/v2/alice/refs/referrers/{digest}?artifactType=application/vnd.one")
    assert answer.headers["OCI-Filters-Applied"] == "artifactType" and [e["digest"] for e in answer.json()["manifests"]] == [sha256(one)]
    ALICE.request("DELETE", f"/v2/alice/refs/manifests/{sha256(one)}")
    assert sha256(one) not in NOBODY.get(f"/v2/alice/refs/referrers/{digest}").body.decode()


# --- content management

def test_delete_tags_manifests_and_blobs():
    digest, blobs, document = released("alice/del")
    assert ALICE.put_manifest("alice/del", "second", document).status == 201
    assert NOBODY.request("DELETE", "/v2/alice/del/manifests/t").status == 401
    assert BOB.request("DELETE", "/v2/alice/del/manifests/t").status == 403
    assert ALICE.request("DELETE", "/v2/alice/del/manifests/t").status == 202
    assert NOBODY.get("/v2/alice/del/manifests/t").status == 404
    assert NOBODY.get(f"/v2/alice/del/manifests/{digest}").status == 200
    assert ALICE.request("DELETE", "/v2/alice/del/manifests/t").status == 404
    assert ALICE.request("DELETE", f"/v2/alice/del/manifests/{digest}").status == 202
    for reference in ("second", digest):
        assert NOBODY.get(f"/v2/alice/del/manifests/{reference}").status == 404
    assert ALICE.request("DELETE", f"/v2/alice/del/manifests/{digest}").code() == "MANIFEST_UNKNOWN"
    for blob in blobs:
        assert ALICE.request("DELETE", f"/v2/alice/del/blobs/{blob}").status == 202
        assert ALICE.get(f"/v2/alice/del/blobs/{blob}").status == 404
        assert ALICE.request("DELETE", f"/v2/alice/del/blobs/{blob}").code() == "BLOB_UNKNOWN"
    assert ALICE.request("DELETE", "/v2/alice/del/blobs/nonsense").status == 400
    assert ALICE.push("alice/del", "t", clean_image("alice/delt"))[0].status == 201, "and it can be pushed again"


# --- names

def test_names():
    image = clean_image("names")
    for name in ("alice/a/manifests/b", "alice/blobs/uploads", "alice/x/blobs/y", "alice/tags/list", "alice/referrers", "alice/a.b_c__d-e---f", "alice/" + "x" * 200):
        answer, digest, blobs = ALICE.push(name, "t", image)
        assert answer.status == 201, (name, answer)
        assert NOBODY.get(f"/v2/{name}/manifests/t").status == 200, name
        assert NOBODY.get(f"/v2/{name}/tags/list").json() == {"name": name, "tags": ["t"]}
        assert NOBODY.get(f"/v2/{name}/blobs/{next(iter(blobs))}").status == 200
        assert NOBODY.get(f"/v2/{name}/referrers/{digest}").status == 200
    for name in ("alice/Upper", "alice/_x", "alice/x_", "alice/a..b", "alice/a___b", "alice/a._b", "alice//b", "alice/", "alice/" + "x" * 230, "alice/%c3%a4", "alice/%00", "alice/a%2fb", "alice/..", "alice/%2e%2e"):
        answer = ALICE.request("POST", f"/v2/{name}/blobs/uploads/", headers={"Content-Length": "0"})
        assert answer.status in (400, 404), (name, answer)


def test_who_may_push_where():
    for client, status in ((NOBODY, 401), (BOB, 403)):
        answer = client.request("POST", "/v2/alice/x/blobs/uploads/", headers={"Content-Length": "0"})
        assert answer.status == status and answer.code() in ("UNAUTHORIZED", "DENIED"), answer
        assert client.put_manifest("alice/x", "t", b"{}").status == status
    assert ALICE.request("POST", "/v2/alice/blobs/uploads/", headers={"Content-Length": "0"}).status in (403, 404)
    assert Client(SERVER, "admin").request("POST", "/v2/alice/x/blobs/uploads/", headers={"Content-Length": "0"}).status == 202


def test_errors_have_the_form_of_the_specification():
    for answer in (NOBODY.get("/v2/alice/none/manifests/t"), NOBODY.request("POST", "/v2/alice/x/blobs/uploads/"), ALICE.put_manifest("alice/x", "t", b"x"), NOBODY.request("PATCH", "/v2/alice/x/tags/list")):
        assert answer.status >= 400 and answer.headers["Content-Type"] == "application/json"
        for error in answer.json()["errors"]:
            assert re.fullmatch("[A-Z_]+", error["code"]) and isinstance(error["message"], str)


if __name__ == "__main__":
    try:
        support.main(globals())
    finally:
        SERVER.stop()
        FOLDER.cleanup()
