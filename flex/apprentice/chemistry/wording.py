"""Plain words for templates: a name, and the sites by which a text search finds them."""

from functools import lru_cache

from rdkit import Chem

from flex.apprentice.chemistry.molecules import molecule

NAMES: dict[str, str] = {
    "[C:1](-[N:2])=[O:3]>>[C:1](=[O:3])O.[N:2]": "amide from a carboxylic acid and an amine",
    "[C:1](-[N:2])=[O:3]>>[C:1](=[O:3])Cl.[N:2]": "amide or carbamate from an acyl chloride and an amine",
    "[C:1](-[N:2])=[O:3]>>[C:1](=[O:3])OC(OC(C)(C)C)=O.[N:2]": "Boc protection of an amine",
    "[C:1](-[N:2])(-[N:3])=[O:4]>>[C:1](=[N:3])=[O:4].[N:2]": "urea from an isocyanate and an amine",
    "[C:1](-[O:2])=[O:3]>>[C:1](=[O:3])O.[O:2]": "ester from a carboxylic acid and an alcohol",
    "[C:1](-[O:2])=[O:3]>>[C:1](=[O:3])Cl.[O:2]": "ester from an acyl chloride and an alcohol",
    "[N:1]-[S:4](=[O:2])=[O:3]>>[N:1].[O:2]=[S:4](=[O:3])Cl": "sulfonamide from a sulfonyl chloride and an amine",
    "[O:1]-[S:4](=[O:2])=[O:3]>>[O:1].[O:2]=[S:4](=[O:3])Cl": "sulfonate from a sulfonyl chloride and an alcohol",
    "[C:1]-[N:2]>>[C:1]=O.[N:2]": "reductive amination of an aldehyde or ketone",
    "[C:1]-[N:2]>>[C:1]Br.[N:2]": "N-alkylation with an alkyl bromide",
    "[C:1]-[N:2]>>[C:1]Cl.[N:2]": "N-alkylation with an alkyl chloride",
    "[C:1]-[N:2]>>[C:1]I.[N:2]": "N-alkylation with an alkyl iodide",
    "[C:1]-[O:2]>>[C:1]Br.[O:2]": "ether from an alkyl bromide and an alcohol or phenol",
    "[C:1]-[O:2]>>[C:1]O.[O:2]": "ether from two hydroxyl compounds",
    "[C:1]-[O:2]>>[C:1]=[O:2]": "reduction of a ketone or aldehyde",
    "[C:1]-[S:2]>>[C:1]Br.[S:2]": "thioether from an alkyl bromide and a thiol",
    "[N:1]-[c:2]>>[N:1].[c:2]F": "aromatic substitution of fluorine by an amine",
    "[N:1]-[c:2]>>[N:1].[c:2]Cl": "aromatic substitution of chlorine by an amine",
    "[N:1]-[c:2]>>[N:1].[c:2]Br": "amination of an aryl bromide",
    "[c:1]-[c:2]>>[c:1]B(O)O.[c:2]Br": "Suzuki coupling of a boronic acid with an aryl bromide",
    "[c:1]-[c:2]>>[c:1]B(O)O.[c:2]I": "Suzuki coupling of a boronic acid with an aryl iodide",
    "[C:1](-[c:2])#[C:3]>>[C:1]#[C:3].[c:2]I": "Sonogashira coupling of an alkyne with an aryl iodide",
    "[C:1]=[C:2]>>[C:1]=O.[C:2]=P(c1ccccc1)(c2ccccc2)c3ccccc3": "Wittig olefination",
    "[N:1]>>[N:1]C(OC(C)(C)C)=O": "removal of a Boc group from nitrogen",
    "[N:1]>>[N:1]C(OCc1ccccc1)=O": "removal of a Cbz group from nitrogen",
    "[N:1]>>[N:1]Cc1ccccc1": "removal of a benzyl group from nitrogen",
    "[N:1]>>[N+:1](=O)[O-]": "reduction of a nitro group",
    "[O:1]>>[O:1]Cc1ccccc1": "removal of a benzyl group from oxygen",
    "[O:1]>>[O:1]C": "cleavage of a methyl ester or methyl ether",
    "[O:1]>>[O:1]CC": "cleavage of an ethyl ester or ethyl ether",
    "[O:1]>>[O:1]C(C)(C)C": "cleavage of a tert-butyl ester or ether",
    "[C:1]#[C:2]>>[C:1]#[C:2][Si](C)(C)C": "removal of a trimethylsilyl group from an alkyne",
}
TEXTBOOK: tuple[str, ...] = (
    "[C:1](-[N:2])=[O:3]>>[C:1](=[O:3])O.[N:2]",
    "[C:1](-[O:2])=[O:3]>>[C:1](=[O:3])Cl.[O:2]",
    "[N:1]-[S:4](=[O:2])=[O:3]>>[N:1].[O:2]=[S:4](=[O:3])Cl",
    "[C:1]-[N:2]>>[C:1]=O.[N:2]",
    "[C:1]-[O:2]>>[C:1]Br.[O:2]",
    "[N:1]-[c:2]>>[N:1].[c:2]Cl",
    "[c:1]-[c:2]>>[c:1]B(O)O.[c:2]Br",
    "[N:1]>>[N:1]C(OC(C)(C)C)=O",
)
"""The prior of `apprentice-textbook`: eight common reactions, without precedents."""

_CARBON = ("at", "carbon", "aryl", "alkenyl", "alkynyl")
_ELEMENTS = {"N": "nitrogen", "O": "oxygen", "S": "sulfur", "P": "phosphorus", "B": "boron", "Si": "silicon"}


def named(template: str) -> str:
    """A plain-language name: the textbook's, or one made of the sites."""
    return NAMES.get(template) or "reaction at " + " and ".join(
        site.replace("_", " ") for site in template_sites(template)
    )


def template_sites(template: str) -> list[str]:
    """The kinds of bonds (or of single atoms) in the product that the template changes, each one word."""
    pattern = Chem.MolFromSmarts(template.partition(">>")[0].strip("()").replace(").(", "."))
    return sorted(_sites(pattern, generic=False)) if pattern is not None else []


@lru_cache(maxsize=1024)
def product_sites(product: str) -> tuple[str, ...]:
    """Every site of the product that a template could name; those with a heteroatom first."""
    mol = molecule(product)
    sites = _sites(mol, generic=True) if mol is not None else set()
    return tuple(sorted(sites, key=lambda site: (all(part in _CARBON for part in site.split("_")), site)))


def _sites(mol: Chem.Mol, *, generic: bool) -> set[str]:
    kinds = {atom.GetIdx(): _kinds(atom, generic=generic) for atom in mol.GetAtoms() if not _is_oxo(atom)}
    sites = set()
    for bond in mol.GetBonds():
        a, b = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        if a in kinds and b in kinds:
            sites |= {"_".join(sorted(pair)) for pair in ((x, y) for x in kinds[a] for y in kinds[b])}
    if generic or not sites:
        sites |= {f"at_{kind}" for atom in kinds for kind in kinds[atom]}
    return sites


def _kinds(atom: Chem.Atom, *, generic: bool) -> list[str]:
    """What the atom is; in a product (`generic`) also what a pattern without its neighbours would call it."""
    symbol = atom.GetSymbol()
    bare = "carbon" if symbol == "C" else _ELEMENTS.get(symbol, symbol.lower())
    bare = f"ring_{bare}".replace("ring_carbon", "aryl").replace("_", "") if atom.GetIsAromatic() else bare
    exact = bare
    for bond in atom.GetBonds():
        other = bond.GetOtherAtom(atom)
        if bond.GetBondType() == Chem.BondType.TRIPLE:
            exact = "alkynyl" if other.GetSymbol() == "C" else "cyano"
        elif bond.GetBondType() == Chem.BondType.DOUBLE:
            exact = {"O": {"C": "carbonyl", "S": "sulfonyl"}, "C": {"C": "alkenyl"}, "N": {"C": "imino"}}.get(
                other.GetSymbol(), {}
            ).get(symbol, exact)
            if exact == "carbonyl":
                break
    return [exact, bare] if generic and exact != bare else [exact]


def _is_oxo(atom: Chem.Atom) -> bool:
    """A doubly bonded oxygen belongs to the atom that carries it."""
    return atom.GetSymbol() == "O" and any(b.GetBondType() == Chem.BondType.DOUBLE for b in atom.GetBonds())
