"""What a release is made of, as far as it can be played without building one: the look at what programs link against, the
Dockerfile, what of the tree goes into a build, versions that agree, and the arguments of the scripts."""

import fnmatch
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from kit import DEPLOY, ROOT, run
from scripts import script

IMAGES = DEPLOY / "images"
linked = script(IMAGES / "linked")
versions = script(DEPLOY / "versions")

SMALL = "int main(void) { return 0; }\n"


@unittest.skipUnless(shutil.which("cc"), "no C compiler")
class Linked(unittest.TestCase):
    """Of programs that are made here."""

    def made(self, *flags: str) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            source, program = Path(folder, "a.c"), Path(folder, "a")
            source.write_text(SMALL)
            subprocess.run(["cc", source, "-o", program, *flags], check=True, capture_output=True)
            return program.read_bytes()

    def test_a_dynamic_program_is_told_by_its_loader_and_its_libraries(self):
        wrong = linked.faults(self.made("-lm", "-Wl,--no-as-needed"), None)
        self.assertTrue(any(line.startswith("is loaded by /") for line in wrong), wrong)
        self.assertTrue(any(line.startswith("links against libc.so") for line in wrong), wrong)

    def test_a_static_one_is_let_through_but_for_what_is_not_in_it(self):
        it = linked.linked(self.made("-static"))
        self.assertEqual((it.interpreter, it.needed), (None, []))
        self.assertEqual(linked.faults(self.made("-static", "-s"), None), ["does not say which crates are in it (cargo auditable)"])

    def test_debug_information_and_another_processor_are_told(self):
        raw = self.made("-static", "-g")
        other = "aarch64" if linked.linked(raw).machine == "x86_64" else "x86_64"
        wrong = linked.faults(raw, f"{other}-unknown-linux-musl")
        self.assertIn("has debug information", wrong)
        self.assertTrue(any(f"not of {other}-unknown-linux-musl" in line for line in wrong), wrong)

    def test_what_is_no_program_is_refused(self):
        for raw in (b"", b"#!/bin/sh\n", b"\x7fELF\x01\x01" + bytes(60)):
            with self.assertRaises(ValueError):
                linked.linked(raw)


class Dockerfile(unittest.TestCase):
    def setUp(self):
        text = (IMAGES / "Dockerfile").read_text().replace("\\\n", " ")
        self.stages, self.lines = {}, []
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            word, _, rest = line.partition(" ")
            if word == "FROM":
                *flags, base, _, name = rest.split()
                self.stages[name] = (base, flags, [])
            else:
                self.stages[name][2].append((word, rest))

    def test_bases_are_pinned_and_the_last_ones_empty(self):
        for name, (base, flags, _) in self.stages.items():
            if base in self.stages or base == "scratch":
                continue
            self.assertRegex(base, r"^docker\.io/library/[a-z]+:[\w.-]+@sha256:[0-9a-f]{64}$", name)
            self.assertEqual(flags, ["--platform=$BUILDPLATFORM"], "compiled on the builder's own processor")
        ends = [name for name, (base, _, _) in self.stages.items() if base == "scratch"]
        self.assertEqual(ends, ["coordinator", "plane-actor"])

    def test_nobody_is_root_and_no_shell_is_needed(self):
        for name in ("coordinator", "plane-actor"):
            said = self.stages[name][2]
            words = dict(said)
            self.assertEqual(words["USER"], "65532:65532", "as the charts run it")
            self.assertEqual(words["ENTRYPOINT"], f'["/usr/local/bin/{name}"]')
            self.assertTrue(words["CMD"].startswith("["), words["CMD"])
            self.assertEqual(words["ENV"], "PATH=/usr/local/bin", "kubectl exec finds it")
            self.assertNotIn("RUN", words)
            certificates = [rest for _, rest in said if "ca-certificates" in rest]
            self.assertEqual(len(certificates), 1, "AWS, and who takes traces, show public certificates")

    def test_the_compiler_is_that_of_the_tree(self):
        wanted = re.search(r'^rust-version = "(\d+\.\d+)', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
        self.assertIn(f"/rust:{wanted}.", self.stages["tools"][0])


class Context(unittest.TestCase):
    """What `docker build` is given. Docker's rule: the last line that fits decides."""

    LINES = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]

    def goes(self, path: str) -> bool:
        """A line that names a folder stands for all below it; `**/` for any depth."""
        inside = [path, *map(str, Path(path).parents)]
        taken = True
        for line in self.LINES:
            pattern = line.removeprefix("!")
            fits = any(fnmatch.fnmatch(one, pattern) or fnmatch.fnmatch("/" + one, "*/" + pattern.removeprefix("**/")) for one in inside) \
                if pattern.startswith("**/") else pattern == "*" or pattern in inside
            if fits:
                taken = line.startswith("!")
        return taken

    def test_keys_history_and_builds_stay(self):
        for path in ("pki/ca.key", "deploy/pki/ca.key", "coordinator/pki/ca.key", "tests/me.key", ".git/config", "target/release/coordinator",
                     "coordinator/target/x", "deploy/README.md", ".env", "shared/ca.pem", "kubeconfig.yaml"):
            self.assertFalse(self.goes(path), path)

    def test_what_is_built_from_goes(self):
        tracked = run(["git", "-C", ROOT, "ls-files"]).stdout.splitlines()
        needed = [path for path in tracked if path.split("/")[0] in ("coordinator", "plane-actor", "shared", "loadtests")]
        needed += ["Cargo.toml", "Cargo.lock", "LICENSE", "tests/Cargo.toml", "deploy/images/build", "deploy/images/linked", "deploy/images/tools"]
        self.assertEqual([path for path in needed if not self.goes(path)], [])
        self.assertGreater(len(needed), 500)


class Versions(unittest.TestCase):
    def test_they_agree(self):
        self.assertEqual(versions.faults(ROOT, None), [])

    def test_each_that_differs_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for file in ("Cargo.toml", "CHANGELOG.md", *(f"deploy/charts/{chart}/{name}" for chart in ("isochron", "isochron-plane")
                                                          for name in ("Chart.yaml", "values.yaml"))):
                (root / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / file, root / file)
            version = versions.stated(root)["Cargo.toml"]
            changelog = (ROOT / "CHANGELOG.md").read_text()
            self.assertIn("CHANGELOG.md has no heading", versions.faults(root, f"v{version}")[0])
            (root / "CHANGELOG.md").write_text(changelog.replace("## [Unreleased]", f"## [{version}] - 2026-12-01"))
            self.assertEqual(versions.faults(root, f"v{version}"), [])
            self.assertIn("the tag v9.9.9", versions.faults(root, "v9.9.9")[0])
            chart = root / "deploy/charts/isochron/Chart.yaml"
            chart.write_text(chart.read_text().replace(f"appVersion: {version}", "appVersion: 9.9.9"))
            self.assertEqual(len(versions.faults(root, None)), 1)
            self.assertIn("Chart.yaml, appVersion is 9.9.9", versions.faults(root, None)[0])


class Arguments(unittest.TestCase):
    def test_a_wrong_call_says_how_it_is_called_and_does_nothing(self):
        for words in (["release"], ["release", "--wrong", "x"], ["images/build"], ["images/build", "mips", "/x", "coordinator"],
                      ["images/build", "amd64", "/x", "who"], ["images/tools"], ["images/linked"], ["versions", "x"], ["site/build", "--x"]):
            told = run([DEPLOY / words[0], *words[1:]])
            self.assertEqual(told.returncode, 2, (words, told.stderr))
            self.assertIn(f"deploy/{words[0]}", told.stderr, words)


if __name__ == "__main__":
    unittest.main()
