"""One JSON object on one line, and nothing else."""

import json

import rtspkit
from rtspkit.cli.measure import Reading
from rtspkit.cli.report import JsonReport
from rtspkit.errors import ConnectionLost
from rtspkit.testing.camera import Camera


async def test_prints_one_object_at_the_end(capsys):
    reading = Reading(transport="tcp", seconds=1.0)
    async with Camera() as camera:
        url = camera.url.replace("//", "//user:hidden@")
        async with rtspkit.connect(url, transport="tcp") as session:
            with JsonReport() as report:
                report.begin(session)
                report.show(reading)
                assert capsys.readouterr().out == ""
                report.finish(reading, "words", ConnectionLost("gone\naway"))
    (line,) = capsys.readouterr().out.splitlines()
    assert "hidden" not in line
    assert json.loads(line) == json.loads(json.dumps(reading.to_json())) | {
        "url": camera.url.replace("//", "//user:***@"),
        "server": "rtspkit camera",
        "error": "gone away",
    }
