"""A contract for import-linter: the families of modules in a package do not import one another.

The family of `npm_names` is `npm`: an ecosystem whose one file grew too long has helpers of its own beside it.
"""

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class FamilyContract(Contract):
    type_name = "families"

    package = fields.StringField()

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        package = str(self.package)
        crossings = [
            (module, imported)
            for module in graph.find_descendants(package)
            for imported in graph.find_modules_directly_imported_by(module)
            if imported.startswith(f"{package}.") and _family(module, package) != _family(imported, package)
        ]
        return ContractCheck(kept=not crossings, metadata={"crossings": sorted(crossings)})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for module, imported in check.metadata["crossings"]:
            output.print_error(f"{module} is not allowed to import {imported}")


def _family(module: str, package: str) -> str:
    return module.removeprefix(f"{package}.").partition(".")[0].partition("_")[0]
