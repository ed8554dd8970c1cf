"""What the site adds to the pages: their order, the project's own pages, each page as Markdown, and llms.txt."""

import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
SECTIONS = {
    "tutorials": "Tutorials",
    "how-to": "How to",
    "runbook": "Runbook",
    "reference": "Reference",
    "explanation": "Explanation",
    "decisions": "Decisions",
}
PROJECT = ["CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"]
# Lets a page that is read from the disk run its search, which browsers refuse to workers there.
SHIM = "assets/javascripts/iframe-worker.js"
SHIM_ELSEWHERE = "https://unpkg.com/iframe-worker/shim"
TO_PROJECT = re.compile(r"\]\((?:\.\./)+(" + "|".join(map(re.escape, PROJECT)) + r")([)#])")
FOLDERS = "src|test|bench|examples|policies|deploy|python|clients"
TO_FILE = re.compile(r"\[([^\]]*)\]\((?:\.\./)+(?:(?:" + FOLDERS + r")/[^)]*|LICENSE|README\.md|\.\.)\)")


def on_config(config):
    """Sections in the order of the reader's way; pages by name, an index first."""
    docs = Path(config.docs_dir)
    nav = [{"Start": "README.md"}]
    for folder, title in SECTIONS.items():
        pages = sorted(docs.glob(f"{folder}/*.md"), key=lambda page: (page.name != "README.md", page.name))
        if pages:
            nav.append({title: [page.relative_to(docs).as_posix() for page in pages]})
    nav.append({"Project": [f"project/{name}" for name in PROJECT]})
    config.nav = nav
    return config


def on_files(files, config):
    """The project's own pages lie beside the code and are part of the site too."""
    for name in PROJECT:
        text = (ROOT / name).read_text()
        text = re.sub(r"\]\((?:\./)?docs/", "](../", text)
        text = re.sub(r"\]\((?=(?:" + FOLDERS + r")/)", "](../../", text)
        files.append(File.generated(config, f"project/{name}", content=text))
    shim = Path(config.config_file_path).parent / "node_modules/iframe-worker/shim/index.js"
    files.append(File.generated(config, SHIM, content=shim.read_text()))
    return files


def on_post_page(output, page, config):
    """The site asks nothing of the network."""
    return output.replace(SHIM_ELSEWHERE, "../" * page.file.dest_uri.count("/") + SHIM)


def on_post_template(output, template_name, config):
    """The same for the page of what is not there."""
    return output.replace(SHIM_ELSEWHERE, SHIM)


def on_page_markdown(markdown, page, config, files):
    """Links to the project's pages stay in the site; what is only in the checkout is named and not linked."""
    up = "../" * page.file.src_uri.count("/")
    markdown = TO_PROJECT.sub(lambda found: f"]({up}project/{found[1]}{found[2]}", markdown)
    return TO_FILE.sub(r"\1", markdown)


def on_post_build(config):
    """Each page as the Markdown that it is made of, and a list of them for readers that are programs."""
    docs, site = Path(config.docs_dir), Path(config.site_dir)
    lines = [f"# {config.site_name}", "", f"> {config.site_description}", ""]
    for folder, title in SECTIONS.items():
        pages = sorted(docs.glob(f"{folder}/*.md"))
        if pages:
            lines += [f"## {title}", ""]
        for page in pages:
            place = page.relative_to(docs)
            text = page.read_text()
            (site / place).write_text(text)
            lines.append(f"- [{title_of(text)}]({place.as_posix()}): {first_sentence(text)}")
        lines.append("")
    (site / "llms.txt").write_text("\n".join(lines))


def title_of(text):
    return next((line[2:] for line in text.splitlines() if line.startswith("# ")), "")


def first_sentence(text):
    """Of the first paragraph that is prose."""
    for block in text.split("\n\n"):
        plain = " ".join(block.split())
        if plain and not plain.startswith(("#", "<", "|", "`", "!", "-")):
            return re.split(r"(?<=\.) ", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", plain.replace("**", "")))[0]
    return ""
