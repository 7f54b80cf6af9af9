"""The distribution: what is installed, and the two entry points of the command line."""

from pathlib import Path

from setuptools import Extension, find_packages, setup

HERE = Path(__file__).parent
VERSION = next(
    line.split('"')[1]
    for line in (HERE / "relay" / "__init__.py").read_text("utf-8").splitlines()
    if line.startswith("__version__")
)

setup(
    name="cc-relay",
    version=VERSION,
    description="A relay between Claude Code and the providers of the Anthropic Messages API",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    packages=find_packages(include=["relay", "relay.*"]),
    package_data={
        "relay": ["py.typed"],
        "relay.config": ["*.yaml"],
        "relay.state": ["lua/*.lua"],
        "relay.stream": ["*.c", "*.pyi"],
    },
    # Without a compiler, or its headers of Python, the relay does the same in Python.
    ext_modules=[
        Extension("relay.stream._passing", ["relay/stream/_passing.c"], optional=True),
    ],
    python_requires=">=3.11",
    install_requires=[
        "flask>=3.1.3,<3.2",
        "gunicorn[gevent]>=27.0.1,<28",
        "gevent>=26.9",
        "requests>=2.34.2,<3",
        "httptools>=0.9,<1",
        "msgspec>=0.22,<1",
        "marshmallow>=4.4,<5",
        "pyyaml>=6.0.4,<7",
        "click>=8.5,<9",
        "brotli>=1.2,<2",
        "zstandard>=0.25,<1",
        "lmdb>=3,<4",
        "certifi",
    ],
    extras_require={
        "redis": ["redis>=8.1,<9"],  # for `state.url: redis://…`
    },
    entry_points={
        "console_scripts": ["cc-relay = relay.cli:main"],
        "flask.commands": ["cc-relay = relay.cli:cc_relay"],
    },
)
