"""What Argo CD shows of our kinds: its health checks, run by a real Lua with objects as the coordinator writes them."""

import shutil
import tempfile
import unittest
from pathlib import Path

import yaml

from kit import DEPLOY, run

KIND = "resource.customizations.health.federation.pingcap.com_"


def lua(value) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f'["{key}"] = {lua(part)}' for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ", ".join(lua(part) for part in value) + "}"
    return f"[==[{value}]==]"


def health(kind: str, object: dict) -> tuple:
    scripts = yaml.safe_load((DEPLOY / "argocd/argocd-cm.yaml").read_text())["data"]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "health.lua"
        script.write_text(
            f"local obj = {lua(object)}\nlocal function check()\n{scripts[KIND + kind]}\nend\n"
            'local health = check()\nprint(health.status)\nprint(health.message)\n'
        )
        told = run(["lua", script])
    assert told.returncode == 0, told.stderr
    status, message = told.stdout.rstrip("\n").split("\n", 1)
    return status, message


def condition(kind: str, status: str, reason: str, message: str = "") -> dict:
    more = {"message": message} if message else {}
    running = {"type": "Running", "status": "True", "reason": "Started"}
    return {"status": {"conditions": [running, {"type": kind, "status": status, "reason": reason} | more]}}


@unittest.skipUnless(shutil.which("lua"), "NOT RUN: lua is missing (Debian: lua5.4)")
class Health(unittest.TestCase):
    def test_a_backup_is_what_its_condition_says(self):
        for given, shown in [
            ({}, ("Progressing", "no coordinator has seen it yet")),
            (condition("Succeeded", "Unknown", "Covering"), ("Progressing", "Covering")),
            (condition("Succeeded", "True", "Consistent"), ("Healthy", "Consistent")),
            (condition("Succeeded", "False", "HoldTimedOut", "late"), ("Degraded", "HoldTimedOut: late")),
        ]:
            self.assertEqual(health("VolumeBackup", given), shown)

    def test_a_schedule_that_is_paused_is_not_ill(self):
        for given, shown in [
            ({}, ("Progressing", "no coordinator has seen it yet")),
            (condition("Ready", "True", "Active"), ("Healthy", "Active")),
            (condition("Ready", "False", "Paused", "spec.pause is true"), ("Suspended", "spec.pause is true")),
            (condition("Ready", "False", "ScheduleInvalid", "5 fields"), ("Degraded", "5 fields")),
        ]:
            self.assertEqual(health("VolumeBackupSchedule", given), shown)


if __name__ == "__main__":
    unittest.main()
