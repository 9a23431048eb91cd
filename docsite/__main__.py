"""`make docs`: the site; `python -m docsite --mkdocs PROGRAM FOLDER`."""

from pathlib import Path

import click

from docsite.site import SiteError, build


@click.command()
@click.option("--mkdocs", default="mkdocs", show_default=True, help="Path of MkDocs, with the theme Material.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def main(*, mkdocs: str, folder: Path) -> None:
    """Make the documentation as a site in FOLDER."""
    try:
        pages = build(mkdocs, folder, folder.parent / "site-source")
    except SiteError as error:
        raise click.ClickException(f"the site was not made:\n{error}") from None
    click.echo(f"{folder / 'index.html'}: {pages} pages")


if __name__ == "__main__":
    main()
