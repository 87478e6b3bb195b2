"""The building blocks and reactions of the demo data: our own, hand-written, textbook chemistry only."""

from dataclasses import dataclass

BLOCKS: dict[str, tuple[str, ...]] = {
    # A fragment is written from the atom that carries the handle; the handle is put in front of it.
    "OC(=O)": (  # carboxylic acids
        *("c1ccccc1", "c1ccc(C)cc1", "c1ccc(OC)cc1", "c1ccc(C#N)cc1", "c1cccc(C(F)(F)F)c1", "c1cccc2ccccc12"),
        *("c1ccncc1", "c1cccnc1", "c1ccc2[nH]ccc2c1", "c1ccc2OCOc2c1", "c1cnc2ccccc2c1", "C1CCOCC1"),
        *("Cc1ccccc1OC", "CCc1ccc(F)cc1", "COc1ccccc1", "C1CCN(S(C)(=O)=O)CC1", "c1cc(C)no1", "c1csc(C)n1"),
    ),
    "ClC(=O)": (  # acyl chlorides
        *("C", "CC", "C(C)C", "C1CC1", "C1CCCC1", "CCC", "C(C)(C)C", "CC(C)C", "COC", "CCCC"),
        *("c1ccco1", "c1cccs1", "c1ccccc1F", "c1ccccc1Cl", "c1c(F)cccc1F", "CCCl"),
    ),
    "ClC(=O)O": ("CC", "C", "CC(C)C", "c1ccccc1", "Cc1ccccc1", "C1CCCC1", "CC=C"),  # chloroformates
    "ClS(=O)(=O)": (  # sulfonyl chlorides
        *("C", "CC", "C1CC1", "c1ccc(C)cc1", "c1ccccc1", "c1ccc(F)cc1", "c1ccc(OC)cc1", "c1cccs1", "c1cccc(Cl)c1"),
        *("c1cccc2cnccc12", "C(F)(F)F", "CCC", "c1ccc(C(F)(F)F)cc1", "Cc1ccccc1"),
    ),
    "O=C=N": (  # isocyanates
        *("CC", "c1ccc(Cl)cc1", "c1ccc(F)cc1", "C1CCCCC1", "Cc1ccco1", "c1cccc(C)c1", "C(C)C", "c1ccc(SC)cc1"),
        *("CCc1ccccc1", "C1CCC1"),
    ),
    "N": (  # primary amines
        *("CC1CC1", "CCOC", "C1CC1", "C1CCCC1", "CC(C)C", "CC(F)(F)F", "CCN1CCOCC1", "CC1CCCO1", "C1CCOCC1"),
        *("Cc1ccccc1", "Cc1ccc(F)cc1", "Cc1ccncc1", "Cc1ccc(OC)cc1", "CCc1ccc(OC)c(OC)c1", "CCc1c[nH]c2ccccc12"),
        *("c1ccccc1", "c1ccc(C)cc1", "c1ccc(F)cc1", "c1ccc(OC)cc1", "c1cccc(Cl)c1", "c1ccc(C#N)cc1", "c1ccc2OCOc2c1"),
        *("c1cccc(C(F)(F)F)c1", "c1cccnc1", "c1cnn(C)c1", "c1ccc(N2CCOCC2)cc1", "c1ccc2ncccc2c1", "c1ccc(C(C)C)cc1"),
    ),
    "": (  # secondary amines, phosphoranes, protected and bifunctional molecules, written whole
        *("C1COCCN1", "C1CCNCC1", "C1CCNC1", "CN1CCNCC1", "CC1CCNCC1", "CNCc1ccccc1", "C1CSCCN1", "c1ccc2CNCCc2c1"),
        *("FC1(F)CCNCC1", "c1ccc(N2CCNCC2)cc1", "COc1ccccc1N1CCNCC1", "O=C1CNCCN1", "CNCCOC", "CC(C)N1CCNCC1"),
        *("CC(C)(C)OC(=O)N1CCNCC1", "CC(C)(C)OC(=O)NC1CCNCC1", "CC(C)(C)OC(=O)N1CCC(N)CC1", "CC(C)(C)OC(=O)NCCN"),
        *("CC(C)(C)OC(=O)N1CCC(C(=O)O)CC1", "CC(C)(C)OC(=O)NCC(=O)O", "CC(C)(C)OC(=O)NC1CCC(C(=O)O)CC1"),
        *("CC(C)(C)OC(=O)N1CCC(O)CC1", "CC(C)(C)OC(=O)N1CC(O)C1", "CC(C)(C)OC(=O)NCCCO", "CC(C)(C)OC(=O)NCCBr"),
        *("CC(C)(C)OC(=O)N1CCC(=O)CC1", "CC(C)(C)OC(=O)NCc1ccc(B(O)O)cc1", "CC(C)(C)OC(=O)NCc1ccc(C=O)cc1"),
        *("COC(=O)c1ccc(N)cc1", "COC(=O)c1cccc(N)c1", "COC(=O)C1CCNCC1", "COC(=O)CN", "COC(=O)C(N)Cc1ccccc1"),
        *("COC(=O)c1ccc(O)cc1", "COC(=O)c1cccc(O)c1", "COC(=O)c1ccc(CBr)cc1", "COC(=O)c1ccc(B(O)O)cc1"),
        *("COC(=O)c1ccc(C=O)cc1", "COC(=O)c1ccc(Br)cc1", "COC(=O)c1ccc(Br)nc1", "COC(=O)CCS", "COC(=O)CBr"),
        *("O=C(O)c1ccc([N+](=O)[O-])cc1", "Nc1cccc([N+](=O)[O-])c1", "Oc1ccc([N+](=O)[O-])cc1"),
        *("O=[N+]([O-])c1ccc(CBr)cc1", "OB(O)c1cccc([N+](=O)[O-])c1", "O=Cc1ccc([N+](=O)[O-])cc1"),
        *(
            "O=[N+]([O-])c1ccc(F)cc1",
            "O=[N+]([O-])c1ccccc1F",
            "O=[N+]([O-])c1ccc(F)c(C)c1",
            "COc1cc(F)ccc1[N+](=O)[O-]",
        ),
        *("Cc1cc(F)ccc1[N+](=O)[O-]", "O=[N+]([O-])c1ccc(F)nc1", "O=[N+]([O-])c1cnc(F)c(Cl)c1", "N#Cc1ccc(F)nc1"),
        *("Nc1ccc(Br)cc1", "Nc1cccc(Br)c1", "O=C(O)c1ccc(Br)cc1", "O=C(O)c1cccc(Br)c1", "Oc1ccc(Br)cc1"),
        *("O=Cc1ccc(Br)cc1", "O=Cc1cccc(Br)c1", "BrCc1ccc(Br)cc1", "Brc1ccc(I)cc1", "CC(=O)c1ccc(Br)cc1"),
        *("CC(=O)c1ccc(N)cc1", "CC(=O)c1ccc(O)cc1", "CC(=O)c1ccc(C(=O)O)cc1", "CC(=O)c1ccc(B(O)O)cc1"),
        *("CCOC(=O)C=P(c1ccccc1)(c1ccccc1)c1ccccc1", "CC(=O)C=P(c1ccccc1)(c1ccccc1)c1ccccc1"),
        *("C[Si](C)(C)C#Cc1ccc(C(=O)O)cc1", "C[Si](C)(C)C#Cc1ccc(N)cc1", "C[Si](C)(C)C#Cc1ccc(C=O)cc1"),
        *("CC(C)(C)OC(=O)NC1CCC(N)CC1", "CC(C)(C)OC(=O)NCc1ccc(Br)cc1", "CC(C)(C)OC(=O)Nc1ccc(C(=O)O)cc1"),
        *("CC(C)(C)OC(=O)N1CCC(CBr)CC1", "CC(C)(C)OC(=O)N1CCC(C=O)CC1", "CC(C)(C)OC(=O)Nc1ccc(O)cc1"),
        *(
            "COC(=O)c1cnc(Cl)cc1N",
            "COC(=O)CC1CCNCC1",
            "COC(=O)c1ccc(S)cc1",
            "COC(=O)c1cccc(C(=O)O)c1",
            "COC(=O)CCC(=O)O",
        ),
        *("O=C(O)Cc1ccc([N+](=O)[O-])cc1", "O=[N+]([O-])c1ccc(CCO)cc1", "NCc1cccc([N+](=O)[O-])c1"),
        *("Cc1cc(N)ccc1[N+](=O)[O-]", "O=[N+]([O-])c1cccc(Br)c1", "O=S(=O)(Cl)c1ccc([N+](=O)[O-])cc1"),
        *(
            "C#Cc1ccc([N+](=O)[O-])cc1",
            "O=C(O)c1cccc(I)c1",
            "Ic1ccc(N2CCOCC2)cc1",
            "CC(=O)c1cccc(I)c1",
            "COC(=O)c1ccc(I)cc1",
        ),
        *("CC(C)(C)[Si](C)(C)OCCCN", "CC(C)(C)[Si](C)(C)OCc1ccc(B(O)O)cc1", "CC(C)(C)[Si](C)(C)OC1CCNCC1"),
        *("CC(C)(C)[Si](C)(C)OCc1ccc(C(=O)O)cc1", "CC(C)(C)[Si](C)(C)OCCOc1ccc(N)cc1"),
        *("Oc1ccc(OCc2ccccc2)cc1", "NCCOCc1ccccc1", "O=Cc1ccc(OCc2ccccc2)cc1", "O=C(O)COCc1ccccc1", "OCCCOCc1ccccc1"),
        *("C[Si](C)(C)C#Cc1cccc(O)c1", "C[Si](C)(C)C#CCO", "C[Si](C)(C)C#Cc1ccc(Br)nc1", "C[Si](C)(C)C#Cc1ccc(CBr)cc1"),
        *("CC(=O)C1CCNCC1", "CC(=O)c1cccc(S(=O)(=O)Cl)c1", "O=C1CCN(Cc2ccccc2)CC1", "O=C(O)CCC(=O)c1ccccc1"),
        *("c1ccc(CC=P(c2ccccc2)(c2ccccc2)c2ccccc2)cc1", "N#CC=P(c1ccccc1)(c1ccccc1)c1ccccc1"),
        *("CC(C)(C)OC(=O)OC(=O)OC(C)(C)C", "CC(C)(C)[Si](C)(C)Cl", "CC(C)(C)[Si](C)(C)OCCN", "CC(C)(C)[Si](C)(C)OCCBr"),
        *("O=C(O)c1ccc(OCc2ccccc2)cc1", "Nc1ccc(OCc2ccccc2)cc1", "OB(O)c1ccc(OCc2ccccc2)cc1", "BrCCOCc1ccccc1"),
    ),
    "O": (  # phenols and alcohols
        *("c1ccc(C)cc1", "c1ccc(F)cc1", "c1ccc(OC)cc1", "c1cccc(Cl)c1", "c1ccc(C#N)cc1", "c1ccc2ccccc2c1"),
        *("c1cccnc1", "c1ccc(C(F)(F)F)cc1", "c1ccc(C(C)(C)C)cc1", "c1ccccc1C", "c1cc(C)cc(C)c1", "c1ccc2OCCc2c1"),
        *("CCOC", "CC(C)C", "CCc1ccccc1", "CC1CC1", "C1CCCC1", "CCCCl", "Cc1ccc(F)cc1", "C1CCOCC1", "CCN1CCOCC1"),
        *("Cc1ccncc1", "CC#C", "C(C)c1ccccc1", "CC1CCOCC1", "Cc1ccc(Cl)cc1"),
    ),
    "S": ("c1ccccc1", "c1ccc(F)cc1", "c1ccc(C)cc1", "c1ccccn1", "C1CCCC1", "CC(C)C", "Cc1ccco1", "c1nccn1C"),
    "Br": (  # aryl bromides
        *(
            "c1ccccn1",
            "c1cccnc1",
            "c1cncnc1",
            "c1cccs1",
            "c1ccc(C#N)cc1",
            "c1ccc2ncccc2c1",
            "c1cnc(N)nc1",
            "c1ccc(F)nc1",
        ),
        *("c1ccc(S(C)(=O)=O)cc1", "c1cnn(C)c1", "c1cc(C)ccc1F", "c1ccc(C(F)(F)F)cn1", "c1cccc(C#N)c1", "c1ccc2OCOc2c1"),
    ),
    "BrC": (  # alkyl bromides
        *("c1ccccc1", "c1ccc(F)cc1", "c1ccc(Cl)cc1", "c1cccc(OC)c1", "c1ccc(C#N)cc1", "c1cccc(C(F)(F)F)c1", "C=C"),
        *("C1CC1", "CC", "COC", "CCC", "C(=O)OCC", "C#C", "c1ccc2ccccc2c1", "C1CCCCC1", "CCOC"),
    ),
    "I": ("c1ccccc1", "c1ccc(C)cc1", "c1ccc(OC)cc1", "c1cccc(F)c1", "c1ccsc1", "c1cnc(C)cn1", "c1cccc(C)c1"),
    "OB(O)": (  # boronic acids
        *("c1ccccc1", "c1ccc(C)cc1", "c1ccc(F)cc1", "c1ccc(OC)cc1", "c1ccccc1OC", "c1cccc(Cl)c1", "c1ccsc1", "c1ccoc1"),
        *("c1ccc(C(F)(F)F)cc1", "c1ccc(N(C)C)cc1", "c1cccc2ccccc12", "c1ccc(OC(F)(F)F)cc1", "c1ccc(Cl)c(Cl)c1"),
    ),
    "C#C": ("c1ccccc1", "C1CC1", "CCCC", "c1ccc(F)cc1", "C(C)(C)O", "COC", "c1ccccn1", "c1ccc(OC)cc1"),
    "O=C": (  # aldehydes
        *(
            "c1ccccc1",
            "c1ccc(F)cc1",
            "c1ccc(OC)cc1",
            "c1cccc(Cl)c1",
            "c1ccncc1",
            "c1ccco1",
            "c1ccc2OCOc2c1",
            "C1CCCCC1",
        ),
        *("c1c[nH]cn1", "CC(C)C", "c1cccs1", "CCc1ccccc1", "c1cccc(C(F)(F)F)c1", "c1cnn(C)c1", "c1ccc(C(C)C)cc1"),
    ),
    "CC(=O)": ("c1ccccc1", "c1ccc(F)cc1", "c1ccc(C)cc1", "c1cccs1", "c1ccncc1", "C1CC1", "c1ccc2OCCOc2c1"),
    "O=": ("C1CCOCC1", "C1CCCC1", "C1CCSCC1", "C1CCC(C)CC1", "C1CCN(C(C)=O)CC1", "C1CCc2ccccc12", "C1COC1"),
}


@dataclass(frozen=True, slots=True)
class Reaction:
    """`forward` for RDKit, its `retro` pattern, and the groups (`spoils`) that would react as well or first."""

    name: str
    forward: str
    retro: str
    spoils: tuple[str, ...] = ()
    uses: str = ""
    """The one of REAGENTS that this reaction is for."""


REAGENTS = ("C=P", "[Si]Cl", "C(=O)OC(=O)O")
AMINE = "[NX3;H1,H2;!$(N*=[O,S,N]);!$(N-[S,N,O]);!$(N-C#N)]"
ALCOHOL = "[OX2H;$(O-[CX4]),$(O-c)]"
ACID = "[CX3](=O)[OX2H]"
ALDEHYDE = "[CX3H1](=O)[#6]"
_ELECTROPHILES = ("C(=O)Cl", "S(=O)(=O)Cl", "N=C=O", "[CX4]Br")
_PROTIC = (AMINE, ALCOHOL, "[SX2H]", ACID)

REACTIONS: tuple[Reaction, ...] = (
    Reaction(
        "amide from a carboxylic acid",
        f"[$({ACID}):1](=[O:2])[OH].[{AMINE[1:-1]}:3]>>[C:1](=[O:2])[N:3]",
        "[C:1](-[N:2])=[O:3]>>[C:1](=[O:3])O.[N:2]",
        (*_ELECTROPHILES, ALDEHYDE, "[SX2H]"),
    ),
    Reaction(
        "amide from an acyl chloride",
        f"[C;$(C[#6]):1](=[O:2])Cl.[{AMINE[1:-1]}:3]>>[C:1](=[O:2])[N:3]",
        "[C:1](-[N:2])=[O:3]>>[C:1](=[O:3])Cl.[N:2]",
        ("S(=O)(=O)Cl", "N=C=O", "[CX4]Br", ALDEHYDE, ALCOHOL, "[SX2H]", ACID),
    ),
    Reaction(
        "ester from an acyl chloride",
        f"[C;$(C[#6]):1](=[O:2])Cl.[{ALCOHOL[1:-1]}:3]>>[C:1](=[O:2])[O:3]",
        "[C:1](-[O:2])=[O:3]>>[C:1](=[O:3])Cl.[O:2]",
        ("S(=O)(=O)Cl", "N=C=O", "[CX4]Br", ALDEHYDE, AMINE, "[SX2H]", ACID),
    ),
    Reaction(
        "ester from a carboxylic acid",
        "[$([CX3](=O)[OX2H]):1](=[O:2])[OH].[OX2H;$(O-[CX4]):3]>>[C:1](=[O:2])[O:3]",
        "[C:1](-[O:2])=[O:3]>>[C:1](=[O:3])O.[O:2]",
        (*_ELECTROPHILES, AMINE, "[SX2H]", ALDEHYDE),
    ),
    Reaction(
        "carbamate from a chloroformate",
        f"[C;$(C(=O)O[#6]):1](=[O:2])Cl.[{AMINE[1:-1]}:3]>>[C:1](=[O:2])[N:3]",
        "[C:1](-[N:2])=[O:3]>>[C:1](=[O:3])Cl.[N:2]",
        ("S(=O)(=O)Cl", "N=C=O", "[CX4]Br", ALDEHYDE, ALCOHOL, "[SX2H]", ACID),
    ),
    Reaction(
        "sulfonamide from a sulfonyl chloride",
        f"[S:1](=[O:2])(=[O:4])Cl.[{AMINE[1:-1]}:3]>>[S:1](=[O:2])(=[O:4])[N:3]",
        "[N:1]-[S:4](=[O:2])=[O:3]>>[N:1].[O:2]=[S:4](=[O:3])Cl",
        ("C(=O)Cl", "N=C=O", "[CX4]Br", ALDEHYDE, ALCOHOL, "[SX2H]", ACID),
    ),
    Reaction(
        "sulfonate from a sulfonyl chloride",
        f"[S:1](=[O:2])(=[O:4])Cl.[{ALCOHOL[1:-1]}:3]>>[S:1](=[O:2])(=[O:4])[O:3]",
        "[O:1]-[S:4](=[O:2])=[O:3]>>[O:1].[O:2]=[S:4](=[O:3])Cl",
        ("C(=O)Cl", "N=C=O", "[CX4]Br", ALDEHYDE, AMINE, "[SX2H]", ACID),
    ),
    Reaction(
        "urea from an isocyanate",
        f"[N:1]=[C:2]=[O:4].[{AMINE[1:-1]}:3]>>[N:1][C:2](=[O:4])[N:3]",
        "[C:1](-[N:2])(-[N:3])=[O:4]>>[C:1](=[N:3])=[O:4].[N:2]",
        ("C(=O)Cl", "S(=O)(=O)Cl", "[CX4]Br", ALDEHYDE, "[SX2H]", ACID),
    ),
    Reaction(
        "reductive amination of an aldehyde or ketone",
        f"[C;$(C([#6])=O);!$(C(=O)[!#6;!#1]):1]=O.[{AMINE[1:-1]}:3]>>[C:1][N:3]",
        "[C:1]-[N:2]>>[C:1]=O.[N:2]",
        (*_ELECTROPHILES, ACID, "[SX2H]"),
    ),
    Reaction(
        "N-alkylation with an alkyl bromide",
        f"[CX4:1]Br.[{AMINE[1:-1]};H1:3]>>[C:1][N:3]",
        "[C:1]-[N:2]>>[C:1]Br.[N:2]",
        ("C(=O)Cl", "S(=O)(=O)Cl", "N=C=O", ALDEHYDE, "[OX2H]-c", "[SX2H]", ACID),
    ),
    Reaction(
        "aryl ether from an alkyl bromide",
        "[CX4:1]Br.[OX2H;$(O-c):3]>>[C:1][O:3]",
        "[C:1]-[O:2]>>[C:1]Br.[O:2]",
        ("C(=O)Cl", "S(=O)(=O)Cl", "N=C=O", AMINE, "[SX2H]", ACID),
    ),
    Reaction(
        "thioether from an alkyl bromide",
        "[CX4:1]Br.[SX2H:3]>>[C:1][S:3]",
        "[C:1]-[S:2]>>[C:1]Br.[S:2]",
        ("C(=O)Cl", "S(=O)(=O)Cl", "N=C=O", AMINE, "[OX2H]-c", ACID),
    ),
    Reaction(
        "aromatic substitution of fluorine by an amine",
        f"[c;$(c1aaa([N+](=O)[O-])aa1),$(c1a([N+](=O)[O-])aaaa1),$(c1naaaa1):1]F.[{AMINE[1:-1]}:3]>>[c:1][N:3]",
        "[N:1]-[c:2]>>[N:1].[c:2]F",
        (*_ELECTROPHILES, ALDEHYDE, "[OX2H]-c", "[SX2H]", ACID),
    ),
    Reaction(
        "Suzuki coupling of a boronic acid with an aryl bromide",
        "[c:1]Br.[c:3]B(O)O>>[c:1]-[*:3]",
        "[c:1]-[c:2]>>[c:1]B(O)O.[c:2]Br",
        (*_ELECTROPHILES, "cI", "[SX2H]"),
    ),
    Reaction(
        "Sonogashira coupling of a terminal alkyne with an aryl iodide",
        "[c:1]I.[CX2H1:3]#[C:4]>>[c:1]-[C:3]#[C:4]",
        "[C:1](-[c:2])#[C:3]>>[C:1]#[C:3].[c:2]I",
        (*_ELECTROPHILES, "[SX2H]"),
    ),
    Reaction(
        "Wittig olefination of an aldehyde",
        "[CX3H1;$(C[#6]):1]=O.[C:3]=P>>[C:1]=[C:3]",
        "[C:1]=[C:2]>>[C:1]=O.[C:2]=P(c1ccccc1)(c2ccccc2)c3ccccc3",
        (*_ELECTROPHILES, AMINE, ACID, "[SX2H]"),
        uses="C=P",
    ),
    Reaction(
        "Boc protection of an amine",
        f"CC(C)(C)O[C:1](=[O:2])OC(=O)OC(C)(C)C.[{AMINE[1:-1]};!$(Nc):3]>>CC(C)(C)O[C:1](=[O:2])[N:3]",
        "[C:1](-[N:2])=[O:3]>>[C:1](=[O:3])OC(OC(C)(C)C)=O.[N:2]",
        (*_ELECTROPHILES, ALDEHYDE, "[OX2H]-c", "[SX2H]"),
        uses="C(=O)OC(=O)O",
    ),
    Reaction(
        "silylation of an alcohol",
        "[Si;$([Si]C(C)(C)C):1]Cl.[OX2H;$(O-[CX4]):3]>>[Si:1][O:3]",
        "[O:1]-[Si:2]>>[O:1].[Si:2]Cl",
        (*_ELECTROPHILES, AMINE, "[OX2H]-c", "[SX2H]", ACID),
        uses="[Si]Cl",
    ),
    Reaction(
        "removal of a Boc group",
        "CC(C)(C)OC(=O)[N:1]>>[N:1]",
        "[N:1]>>[N:1]C(OC(C)(C)C)=O",
        ("O[Si]", *_ELECTROPHILES, ALDEHYDE),
    ),
    Reaction(
        "hydrolysis of a methyl ester",
        "[C;$(C(=O)[#6]):1](=[O:2])[O:3][CH3]>>[C:1](=[O:2])[O:3]",
        "[O:1]>>[O:1]C",
        (*_ELECTROPHILES,),
    ),
    Reaction(
        "reduction of a nitro group",
        "[c:1][N+:2](=O)[O-]>>[c:1][N+0:2]",
        "[N:1]>>[N+:1](=O)[O-]",
        (*_ELECTROPHILES, ALDEHYDE, "C#C"),
    ),
    Reaction(
        "reduction of a ketone",
        "[#6:1][CX3:2](=[O:3])[#6:4]>>[#6:1][C:2]([O:3])[#6:4]",
        "[C:1]-[O:2]>>[C:1]=[O:2]",
        (*_ELECTROPHILES, ALDEHYDE),
    ),
    Reaction(
        "removal of a silyl group from an alkyne",
        "[C:1]#[C:2][Si](C)(C)C>>[C:1]#[C:2]",
        "[C:1]#[C:2]>>[C:1]#[C:2][Si](C)(C)C",
        (*_ELECTROPHILES,),
    ),
    Reaction("removal of a silyl ether", "[O:1][Si]>>[O:1]", "[O:1]>>[O:1][Si](C(C)(C)C)(C)C", (*_ELECTROPHILES,)),
    Reaction(
        "hydrogenolysis of a benzyl ether",
        "[c,C;!$(C=O):2][O:1][CH2]c1ccccc1>>[*:2][O:1]",
        "[O:1]>>[O:1]Cc1ccccc1",
        (*_ELECTROPHILES, "[N+](=O)[O-]", "C#C", "C=C", ALDEHYDE, "cBr", "cI"),
    ),
)
