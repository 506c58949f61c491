"""How Maven and Gradle are pointed at us, and how to find where they point today."""

import re
from collections.abc import Iterable

from lxml import etree

from entrepot.contracts.ecosystem import Client, ConfigFile, FoundAt, Lockfile, LockText, Skipped
from entrepot.ecosystems.maven_names import check_package, check_version
from entrepot.ecosystems.maven_xml import children, text_of
from entrepot.errors import BadRequest, UnreadableLock
from entrepot.model.selection import Selection

_URL = re.compile(r"""url\s*=?\s*(?:uri\()?\s*["'](https?://[^"'\s$@]+)["']""")
_EVERYTHING = ("*", "external:*", "external:http:*")

SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<settings>
  <mirrors>
    <mirror>
      <id>entrepot</id>
      <mirrorOf>*</mirrorOf>
      <url>{url}/</url>
    </mirror>
  </mirrors>
</settings>
"""

INIT = """// Every Maven repository that a build names is asked through Entrepot.
def through = { repositories ->
    repositories.all { repository ->
        if (repository instanceof MavenArtifactRepository && repository.url?.scheme in ['http', 'https']) {
            repository.url = new URI('{url}/')
            if (repository.hasProperty('allowInsecureProtocol')) repository.allowInsecureProtocol = true
        }
    }
}
// Where settings.gradle itself takes plugins from is asked before it is evaluated; Gradle 6 and later tell of that.
if (gradle.respondsTo('beforeSettings')) {
    gradle.beforeSettings { settings ->
        through(settings.buildscript.repositories)
        through(settings.pluginManagement.repositories)
        settings.pluginManagement.repositories.maven { url = '{url}/' }
    }
}
settingsEvaluated { settings ->
    def plugins = settings.pluginManagement.repositories
    through(plugins)
    // Without any, Gradle asks its own portal.
    if (plugins.empty) plugins.maven { url = '{url}/' }
    if (settings.hasProperty('dependencyResolutionManagement')) {
        through(settings.dependencyResolutionManagement.repositories)
    }
}
allprojects { project ->
    through(project.buildscript.repositories)
    through(project.repositories)
}
"""


def read_settings(text: str) -> str | None:
    """The mirror of everything, or of the public repository, in a `settings.xml`."""
    try:
        root = etree.fromstring(text.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
    except (etree.XMLSyntaxError, ValueError):
        return None
    for mirror in children(root, "mirrors", "mirror"):
        patterns = [part.strip() for part in text_of(mirror, "mirrorOf").split(",")]
        url = text_of(mirror, "url")
        takes_all = any(pattern in (*_EVERYTHING[:2], "central") for pattern in patterns)
        if takes_all and text_of(mirror, "blocked") != "true" and re.match(r"https?://[^$@\s]+\Z", url):
            return url
    return None


def read_init_script(text: str) -> str | None:
    found = _URL.search(text)
    return found[1] if found else None


def read_gradle_lock(lock: LockText) -> Iterable[Selection | Skipped]:
    """`group:artifact:version=configurations` in each line. Raises UnreadableLock."""
    for number, line in enumerate(lock.body.decode(errors="replace").splitlines(), 1):
        module = line.partition("=")[0].strip()
        if not module or module.startswith("#") or module == "empty":
            continue
        package, _, version = module.rpartition(":")
        try:
            if package.count(":") != 1:
                raise BadRequest(f"{module[:200]!r} is not group:artifact:version")
            yield Selection(package=check_package(package), version=check_version(version), extent=lock.extent)
        except BadRequest as error:
            raise UnreadableLock(f"{lock.name}:{number}: {error}") from error


_LOGGING = """# As Maven has it in the folder that ours stands for.
org.slf4j.simpleLogger.defaultLogLevel=info
org.slf4j.simpleLogger.showDateTime=false
org.slf4j.simpleLogger.showThreadName=false
org.slf4j.simpleLogger.showLogName=false
org.slf4j.simpleLogger.logFile=System.out
org.slf4j.simpleLogger.cacheOutputStream=true
org.slf4j.simpleLogger.levelInBrackets=true
org.slf4j.simpleLogger.log.Sisu=info
org.slf4j.simpleLogger.warnLevelString=WARNING
org.slf4j.simpleLogger.log.org.apache.maven.wagon.providers.http.httpclient=off
org.slf4j.simpleLogger.log.org.apache.maven.wagon.providers.http.httpclient.wire=off
"""

CLIENTS = (
    Client(
        name="Maven",
        command="mvn",
        files=(
            ConfigFile(
                # MAVEN_ARGS is for Maven 3.9 and later. This folder is where every Maven 3 looks for what holds for all
                # users; a mirror in a person's own settings.xml still goes first.
                variable="MAVEN_OPTS",
                name="maven/settings.xml",
                content=SETTINGS,
                value="{own} -Dmaven.conf={folder}",
            ),
            ConfigFile(variable="", name="maven/logging/simplelogger.properties", content=_LOGGING),
        ),
        found_at=(
            FoundAt(path="~/.m2/settings.xml", read=read_settings),
            FoundAt(path="$MAVEN_HOME/conf/settings.xml", read=read_settings),
            FoundAt(path="/etc/maven/settings.xml", read=read_settings),
        ),
        setup="in ~/.m2/settings.xml, within <settings>:\n"
        "<mirrors><mirror><id>entrepot</id><mirrorOf>*</mirrorOf><url>{url}/</url></mirror></mirrors>",
    ),
    Client(
        name="Gradle",
        command="gradle",
        files=(
            ConfigFile(
                variable="",
                name="entrepot.gradle",
                content=INIT,
            ),
        ),
        arguments=("--init-script", "{directory}/entrepot.gradle"),
        found_at=(FoundAt(path="~/.gradle/init.d/entrepot.gradle", read=read_init_script),),
        setup="keep the script of docs/ecosystems/maven.md as ~/.gradle/init.d/entrepot.gradle, with url = '{url}/'",
    ),
)

LOCKFILES = (
    Lockfile(name="gradle.lockfile", remedy="Gradle names no address in it.", read=read_gradle_lock),
    Lockfile(name="buildscript-gradle.lockfile", remedy="Gradle names no address in it.", read=read_gradle_lock),
)
