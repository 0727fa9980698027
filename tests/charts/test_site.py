"""The pages: every link in them leads somewhere, as they lie in the repository and as a site."""

import os
import re
import shlex
import shutil
import tempfile
import unittest
from pathlib import Path

from kit import DEPLOY, HELM, HELM_ENV, ROOT, run
from scripts import script

site = script(DEPLOY / "site/build")
MDBOOK = os.environ.get("ISOCHRON_MDBOOK") or shutil.which("mdbook")


def names(text: str) -> set:
    """Anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#{1,6} (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    bare = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", head).strip().lower() for head in heads]
    return {re.sub(r"[^\w\- ]", "", head).replace(" ", "-") for head in bare}


class Links(unittest.TestCase):
    def test_links_of_all_pages_lead_somewhere(self):
        found = 0
        for page in site.pages():
            text = (ROOT / page).read_text()
            for link in site.LINK.findall(site.prose(text)):
                if re.match(r"\w+:", link):
                    continue
                found += 1
                file, _, anchor = link.partition("#")
                target = site.target(page, link) or page
                self.assertTrue((ROOT / target).exists(), f"{page} links to {link}")
                if anchor and target.endswith(".md"):
                    self.assertIn(anchor, names((ROOT / target).read_text()), f"{page} links to {link}")
        self.assertGreater(found, 20)

    def test_no_page_is_there_twice(self):
        self.assertEqual(len(site.pages()), len(set(site.pages())))


class Commands(unittest.TestCase):
    def test_charts_render_with_the_values_of_the_pages(self):
        for page, least in (("README.md", 2), ("INSTALL.md", 2)):
            text = (DEPLOY / page).read_text().replace("\\\n", " ").replace("$az", "az1")
            commands = [shlex.split(line, comments=True) for line in text.splitlines() if line.strip().startswith("helm install")]
            ours = [words[3:] for words in commands if words[3].startswith("charts/")]
            self.assertGreaterEqual(len(ours), least, page)
            for chart, *words in ours:
                # Of the page's own file, and of a cluster.
                for option, values in (("--take-ownership", 0), ("--kube-context", 1), ("-f", 1)):
                    if option in words:
                        at = words.index(option)
                        words[at : at + 1 + values] = ["--set", "plane=a,coordinator={b:7443}"] if option == "-f" else []
                told = run([HELM, "template", "isochron", DEPLOY / chart, *words], env=HELM_ENV)
                self.assertEqual(told.returncode, 0, (page, words, told.stderr))


@unittest.skipUnless(MDBOOK, "NOT RUN: mdbook is missing (cargo install mdbook --locked)")
class Site(unittest.TestCase):
    def test_it_is_built_and_every_link_in_it_leads_somewhere(self):
        with tempfile.TemporaryDirectory(prefix="isochron-site-") as folder:
            told = run([DEPLOY / "site/build", folder])
            self.assertEqual(told.returncode, 0, told.stderr)
            for page in site.pages():
                self.assertTrue(Path(folder, page).with_suffix(".html").is_file(), page)
            # And a link that leads nowhere is seen.
            spoilt = Path(folder, "deploy/METHODS.html")
            spoilt.write_text(spoilt.read_text().replace("#cleanfailed", "#nowhere"))
            self.assertEqual(site.broken(Path(folder)), ["deploy/METHODS.html: runbook.html#nowhere"] * 2)


if __name__ == "__main__":
    unittest.main()
