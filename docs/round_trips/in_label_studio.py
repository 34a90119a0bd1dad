"""A round trip through Label Studio: it starts, two people judge suspects on its page, and their answers are applied.

    pip install ".[test]"
    python docs/round_trips/in_label_studio.py WORK --picture docs/images/label-studio.png

WORK is a new folder. Label Studio is installed into WORK/tool, or taken from the environment that --tool names.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
import urllib.request
from pathlib import Path

from round_trip import SUSPECTS, browser, check, installed, made, run, truth_of

PORT = 8097
SERVER = f"http://127.0.0.1:{PORT}"
TOKEN = "0" * 40
PEOPLE = ("ann@example.com", "bob@example.com")
PASSWORD = "not-a-secret-1"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--tool", type=Path, help="environment with label-studio")
    parser.add_argument("--picture", type=Path, help="where to put a picture of its page")
    args = parser.parse_args()
    found = made(args.work, "label-studio")
    server = started(installed(args.tool or args.work / "tool", "label-studio==1.23.2"), args.work / "data")
    try:
        project = asked(
            "/api/projects", {"title": "Suspects", "label_config": (found / "label-studio.xml").read_text()}
        )
        number = project["id"]
        # two people judge each task
        asked(f"/api/projects/{number}", {"maximum_annotations": 2}, "PATCH")
        imported = asked(f"/api/projects/{number}/import", json.loads((found / "label-studio.json").read_text()))
        assert (imported["task_count"], imported["prediction_count"]) == (SUSPECTS, SUSPECTS), imported
        tasks = [task["data"] for task in asked(f"/api/tasks?project={number}&page_size=100")["tasks"]]
        unclear = {task["path"] for task in tasks if task["rank"] == 2}
        by_page(number, unclear, args.picture)
        for kind in ("JSON", "JSON_MIN", "CSV"):
            content = called(f"/api/projects/{number}/export?exportType={kind}&download_all_tasks=true")
            (args.work / f"{kind}.{'csv' if kind == 'CSV' else 'json'}").write_bytes(content)
    finally:
        server.terminate()
        server.wait()
    for file in ("JSON.json", "JSON_MIN.json", "CSV.csv"):
        labels = f"labels-{file.split('.')[0]}.csv"
        run(args.work, "curvdetect", "apply", file, "--to", "photos", "--out", labels, "--only-agreed")
        check(args.work, labels, unclear)


def by_page(project: int, unclear: set, picture: Path | None) -> None:
    """Label as two people would, in Chromium: both choose what a picture shows, and skip one."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = browser(play)
        for person in PEOPLE:
            page = chromium.new_context(viewport={"width": 1280, "height": 720}).new_page()
            answers: list = []  # of the server, the last of which says which task is shown
            page.on("response", lambda answer, to=answers: to.append(answer) if "next_task" in answer.url else None)
            page.goto(f"{SERVER}/user/{'login' if person == PEOPLE[0] else 'signup'}/")
            page.fill("input[name=email]", person)
            page.fill("input[name=password]", PASSWORD)
            page.click("button[type=submit]")
            page.wait_for_url(lambda url: "/user/" not in url)
            page.goto(f"{SERVER}/projects/{project}/data")
            page.get_by_role("button", name="Label All Tasks").click()
            for _ in range(SUSPECTS):
                page.get_by_test_id("bottombar-submit-button").wait_for()
                page.wait_for_timeout(1500)
                path = answers[-1].json()["data"]["path"]
                if picture:
                    page.screenshot(path=picture)
                    picture = None
                if path in unclear:
                    page.get_by_test_id("bottombar-skip-button").click()
                else:
                    page.locator("label", has_text=truth_of(path)).click()
                    page.wait_for_timeout(300)
                    page.get_by_test_id("bottombar-submit-button").click()
                page.wait_for_timeout(1500)
        chromium.close()


def started(programs: Path, data: Path) -> subprocess.Popen:
    """Start the server with one user, and wait until it answers."""
    settings = {
        "LABEL_STUDIO_BASE_DATA_DIR": str(data.absolute()),
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "COLLECT_ANALYTICS": "false",
        "SENTRY_DSN": "",
    }
    words = ["start", "--no-browser", "--port", PORT, "--username", PEOPLE[0], "--password", PASSWORD]
    with (data.parent / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [programs / "label-studio", *map(str, words), "--user-token", TOKEN],
            env={**os.environ, **settings},
            stdout=log,
            stderr=log,
        )
    for _ in range(180):
        time.sleep(1)
        try:
            asked("/api/projects")
        except OSError:
            continue
        return server
    server.terminate()
    raise SystemExit(f"Label Studio didn't start: see {data.parent / 'server.log'}")


def asked(path: str, content: object = None, method: str | None = None) -> dict:
    """Return the answer of the server's interface."""
    return json.loads(called(path, content, method))


def called(path: str, content: object = None, method: str | None = None) -> bytes:
    body = None if content is None else json.dumps(content).encode()
    headers = {"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(SERVER + path, body, headers, method=method)) as answer:
        return answer.read()


if __name__ == "__main__":
    main()
