"""Pictures through the API: what is kept, what is answered, what is refused."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from server_samples import client_of, colours, grey_file
from tintype.engine import Colorizer, Options
from tintype.server.settings import Limits


@pytest.fixture(scope="module")
def client(
    tmp_path_factory: pytest.TempPathFactory, tiny_guided_model: Path
) -> Iterator[TestClient]:
    data = tmp_path_factory.mktemp("server")
    limits = Limits(pixels=10_000, upload_bytes=200_000)
    with client_of(data, tiny_guided_model, workers=0, limits=limits) as client:
        yield client


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_a_form_is_answered_with_the_picture_the_engine_makes(
    client: TestClient, tiny_guided_model: Path
) -> None:
    sent = grey_file("PNG")
    answer = client.post(
        "/v1/colorize", files={"file": ("../Oma & Opa.tif", sent)}, data={"strength": "0.5"}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert "Oma%20%26%20Opa.png" in answer.headers["content-disposition"]
    expected = Colorizer.load(tiny_guided_model, "cpu").colorize(sent, Options(strength=0.5))
    assert answer.content == expected
    report = json.loads(answer.headers["tintype-report"])
    assert (report["width"], report["height"], report["tone"]) == (64, 48, "grey")


def test_depth_and_format_are_kept(client: TestClient) -> None:
    grey = np.linspace(0, 65535, 48 * 64).reshape(48, 64).astype(np.uint16)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "TIFF")
    answer = client.post("/v1/colorize", files={"file": file.getvalue()})
    assert answer.headers["content-type"] == "image/tiff"
    import pyvips

    made = pyvips.Image.new_from_buffer(answer.content, "")
    assert (made.format, made.bands) == ("ushort", 3)


def test_json_in_and_out(client: TestClient) -> None:
    sent = grey_file("JPEG")
    answer = client.post("/v1/colorize", json={"image": b64(sent), "options": {"strength": 1.5}})
    body = answer.json()
    assert (answer.status_code, body["media_type"]) == (200, "image/jpeg")
    assert colours(base64.b64decode(body["image"])).size == (64, 48)
    wanted = {"accept": "image/*"}
    plain = client.post("/v1/colorize", json={"image": b64(sent)}, headers=wanted)
    assert plain.headers["content-type"] == "image/jpeg"
    form = client.post("/v1/colorize", files={"file": sent}, headers={"accept": "application/json"})
    assert form.json()["media_type"] == "image/jpeg"


def test_hints_reach_the_network(client: TestClient) -> None:
    sent = grey_file(height=64)
    hint = {"x": 32, "y": 32, "colour": "#e03020", "radius": 200}
    for answer in (
        client.post("/v1/colorize", files={"file": sent}, data={"hint": "32,32,#e03020,200"}),
        client.post(
            "/v1/colorize",
            json={"image": b64(sent), "options": {"hints": [hint]}},
            headers={"accept": "image/png"},
        ),
    ):
        red, green, blue = colours(answer.content).getpixel((32, 32))  # type: ignore[misc]
        assert red > green + 20
        assert red > blue + 20


def test_a_reference_lends_its_colours(client: TestClient, write_colour: object) -> None:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), (40, 90, 200)).save(file, "PNG")
    files = {"file": grey_file(), "reference": file.getvalue()}
    with_it = client.post("/v1/colorize", files=files).content
    without = client.post("/v1/colorize", files={"file": files["file"]}).content
    assert with_it != without


def test_the_study_s_clients_are_served(client: TestClient) -> None:
    answer = client.post("/colorized", json={"image": f"data:image/png;base64,{b64(grey_file())}"})
    assert colours(base64.b64decode(answer.json()["image"])).size == (64, 48)
    assert client.get("/").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("files", "data", "status", "says"),
    [
        ({"file": b"no picture"}, {}, 422, "not a picture that can be read"),
        ({"file": grey_file()[:300]}, {}, 422, "truncated or damaged"),
        ({"file": b""}, {}, 422, "empty"),
        ({"file": grey_file(height=200)}, {}, 422, "/v1/jobs"),
        ({"file": grey_file()}, {"strength": "3"}, 422, "less than or equal to 2"),
        ({"file": grey_file()}, {"strength": "nan"}, 422, "finite"),
        ({"file": grey_file()}, {"working_size": "2000"}, 422, "1024"),
        ({"file": grey_file()}, {"colour": "much"}, 422, "colour: extra inputs"),
        ({"file": grey_file()}, {"hint": "1,2,red"}, 422, "colour is written"),
        ({"file": grey_file()}, {"hint": "100,2,#ffffff"}, 422, "outside the picture"),
        ({"file": grey_file()}, {"model": "../../etc/passwd"}, 404, "no model"),
        ({"file": grey_file()}, {"model": "eccv16-zhang"}, 404, "not on this server"),
        ({"file": grey_file()}, {"confidence": "perhaps"}, 422, "true or false"),
        ({"other": grey_file()}, {}, 422, "no file called"),
        ({"file": bytes(300_000)}, {}, 413, "larger than"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    client: TestClient, files: dict[str, bytes], data: dict[str, str], status: int, says: str
) -> None:
    answer = client.post("/v1/colorize", files=files, data=data)
    body = answer.json()
    assert (answer.status_code, body["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in body["detail"]
    assert body["type"].startswith("urn:tintype:problem:")
    assert "tintype-" not in body["detail"]


def test_colour_is_recoloured_on_request_only(client: TestClient) -> None:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)).save(
        file, "PNG"
    )
    refused = client.post("/v1/colorize", files={"file": file.getvalue()})
    assert (refused.status_code, refused.json()["type"].rsplit(":")[-1]) == (409, "already-colour")
    forced = client.post("/v1/colorize", files={"file": file.getvalue()}, data={"force": "true"})
    assert forced.status_code == 200


@pytest.mark.parametrize("content", ["text/plain", "application/x-www-form-urlencoded"])
def test_other_content_types_are_refused(client: TestClient, content: str) -> None:
    answer = client.post("/v1/colorize", content=b"x=1", headers={"content-type": content})
    assert answer.status_code == 415


def test_the_service_tells_of_itself(client: TestClient) -> None:
    assert client.get("/healthz").text == "ok"
    assert client.get("/readyz").text == "ok"
    names = {model["name"]: model["ready"] for model in client.get("/v1/models").json()}
    assert names["tintype"]
    client.post("/v1/colorize", files={"file": grey_file()})
    figures = client.get("/metrics").text
    assert 'tintype_requests_total{method="POST",route="/v1/colorize",status="200"}' in figures
    assert "tintype_megapixels_total" in figures
    assert 'tintype_now{what="jobs queued"} 0.0' in figures


def test_the_docs_come_from_this_server(client: TestClient) -> None:
    page = client.get("/docs")
    assert "http://" not in page.text.replace('xmlns="http://', "")
    assert "https://" not in page.text
    for path in ("/docs/files/swagger-ui-bundle.js", "/docs/files/swagger-ui.css"):
        assert client.get(path).status_code == 200
    assert client.get("/static/docs.js").headers["x-content-type-options"] == "nosniff"
    assert "'unsafe" not in page.headers["content-security-policy"]


def test_every_operation_is_described(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (path, method)
            assert operation["description"], (path, method)
    form = described["paths"]["/v1/colorize"]["post"]["requestBody"]["content"]
    assert "strength" in form["multipart/form-data"]["schema"]["properties"]
    assert "Options" in described["components"]["schemas"]


def test_confidence_comes_with_the_picture(
    tmp_path: Path, tiny_sure_model: Path, client: TestClient
) -> None:
    with client_of(tmp_path, tiny_sure_model, workers=0) as sure:
        answer = sure.post("/v1/colorize", files={"file": grey_file()}, data={"confidence": "1"})
        body = answer.json()
        grey = Image.open(io.BytesIO(base64.b64decode(body["confidence"])))
        assert (grey.mode, grey.size, grey.format) == ("L", (64, 48), "PNG")
        assert body["report"]["confidence"] == pytest.approx(
            np.asarray(grey).mean() / 255, abs=0.03
        )
        told = sure.post("/v1/predict?height=8&width=8", content=bytes(64)).json()
        assert len(base64.b64decode(told["confidence"])) == told["height"] * told["width"]
    refused = client.post("/v1/colorize", files={"file": grey_file()}, data={"confidence": "1"})
    assert refused.status_code == 422
    assert refused.json()["detail"] == 'The model "tiny-guided" does not say how sure it is.'


def test_ab_of_a_view_are_those_of_the_engine(client: TestClient, tiny_guided_model: Path) -> None:
    L = np.linspace(0, 255, 40 * 24).reshape(40, 24).astype(np.uint8)
    told = client.post("/v1/predict?height=40&width=24", content=L.tobytes()).json()
    assert (told["height"], told["width"], told["stride"], told["guided"]) == (10, 6, 4, True)
    ab = np.frombuffer(base64.b64decode(told["ab"]), "<i2").reshape(2, 10, 6) / 100
    engine = Colorizer.load(tiny_guided_model, "cpu")
    expected = engine.predict(L[None, None].astype(np.float32) * np.float32(100 / 255)).ab[0]
    assert np.abs(ab - expected).max() <= 0.006
    hint = "12,20,#e03020,100"
    given = client.post(
        "/v1/predict", params={"height": 40, "width": 24, "hint": hint}, content=L.tobytes()
    )
    assert given.json()["ab"] != told["ab"]
    for query, data in (("height=9&width=9", bytes(80)), ("height=9000&width=9", bytes(9))):
        assert client.post(f"/v1/predict?{query}", content=data).status_code == 422


def test_a_preview_is_small_upright_and_grey_as_it_is(client: TestClient) -> None:
    answer = client.post("/v1/preview", files={"file": grey_file("TIFF")})
    assert answer.headers["content-type"] == "image/jpeg"
    assert np.ptp(np.asarray(colours(answer.content), int), axis=2).max() <= 3
    assert client.post("/v1/preview", files={"file": b"x"}).status_code == 422
