"""What a figure says."""

import html
from xml.etree import ElementTree


def texts_of(svg: bytes) -> str:
    """matplotlib draws text as paths and puts the text itself into comments."""
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    root = ElementTree.fromstring(svg, parser)
    return "\n".join(html.unescape(node.text) for node in root.iter() if node.tag is ElementTree.Comment)
