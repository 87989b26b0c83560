"""The words that a fact about a project may be said in, beside those that its evidence holds.

What a rule says in other words is held against it (contract.py): a few are let pass, many mean that it says something
that the evidence does not. Words that have an effect beyond the fact must always come from the evidence.
"""

from __future__ import annotations

from typing import Final

__all__ = ["EFFECTS", "FRAME", "NEGATIONS", "PLAIN"]


def _words(*texts: str) -> frozenset[str]:
    return frozenset(word for text in texts for word in text.split())


NEGATIONS: Final = _words(
    """not no never don't dont without instead neither nor cannot can't isn't aren't doesn't rather avoid nicht nie
    niemals kein keine statt nunca jamás ne pas jamais não non mai не никогда 不 不要 别 勿"""
)

FRAME: Final = NEGATIONS | _words(
    """a an the this that these those it its they them their there here and or but so if then else than as at by for
    from in into inside of off on onto out outside over per through to under until up upon via while with within across
    after again against all also always already another any anything anywhere are around be because been before behind
    being below beneath beside besides between both can could do does done down during each either even every everything
    exactly fails failed failing few first found gives given has have having how however is just kept last later least
    less like likely lives located makes many may more most much must near need needed needing needs next now once one
    only other otherwise own placed same several should since some still such sure take takes takes thing things though
    together too two until used uses using usually was were what when where whether which who whole why will yet zero
    three four five actual actually really currently correct correctly wrong wrongly right exists exist existing
    missing gone moved renamed called named contains contain holds hold keeps lies sits stands belongs based about
    along available between came come comes default defaults directly done earlier entire explicit explicitly
    expects expected follow followed follows full fully good goes got help helps instead itself kind lacks lack lacking
    left let lets long longer match matches mean means no nothing normal number older newer old new order original
    part parts plain plainly possible previously prefers prefer preferred prefered preferring preference wants want
    wanted likes asks asked user user's users users' person refuses refused rejects rejected insists requires require
    required requiring requirement rule keep keeping stays stay stop stops lasting known please""",
)
"""What a sentence is held together by."""

PLAIN: Final = FRAME | _words(
    # what one does in a project, without an effect of its own
    """use run runs running invoke invoked call calls read reads reading search searches searched searching look looks
    looking find finds finding see list lists listing open opens opened opening view show shows shown showing check
    checks start starts started starting work works worked working pass passes passed passing prefix prefixed suffix
    set sets setting change changes changed changing edit edits edited editing write writes written writing add adds
    added put puts import imports imported importing build builds building built test tests tested testing lint format
    formatting resolve resolves resolved point points pointing load loads loaded handle handled support supports
    supported supporting try tries tried retry retrying retried repeat repeating execute executes executed executing
    execution installs installed activate activated initialize initialized prepare prepared generate generated
    regenerate regenerated return returns returned needs separate separately split splits narrow broad broader wide
    wider narrower limit limits limited offset offsets range ranges chunk chunks""",
    # what a project is made of
    """project projects repo repos repository repositories root folder folders directory directories dir dirs file files
    path paths name names line lines character characters command commands script scripts program programs tool tools
    tooling task tasks target targets recipe recipes flag flags option options argument arguments parameter parameters
    variable variables environment environments env venv virtual virtualenv interpreter runtime wrapper wrappers shell
    terminal package packages dependency dependencies manager lockfile lock module modules library libraries framework
    workspace workspaces monorepo submodule submodules subproject subfolder subdirectory component components class
    classes function functions method methods type types interface source sources code codebase config configuration
    configurations settings setting document docs documentation documents comment comments commit commits message
    messages branch branches version versions release releases language languages style styles convention conventions
    indentation spaces tabs quotes database databases schema migration migrations table tables fixture fixtures
    container containers image images service services server servers client clients backend frontend api endpoint
    endpoints port ports host local locally global globally system machine platform compiler linter formatter suite
    unit integration end session sessions log logs output outputs result results error errors failure failures
    exit status time times size large larger big bigger huge small smaller short shorter key keys value values index
    pattern patterns scope level top nested python node java javascript typescript rust go ruby""",
    # the same frame in other languages that users write their rules in
    """der die das den dem des ein eine einen einem einer und oder aber im in am an auf aus bei mit von vom zu zum zur
    für über unter nach vor ist sind wird werden immer nur auch hier statt sondern verwende verwenden nutze nutzen
    benutze ausführen aufrufen starten nutzer benutzer möchte bevorzugt datei dateien ordner verzeichnis projekt befehl
    befehle
    el la los las un una unos unas y o pero en de del al con por para es son se siempre usa usar use usen ejecuta
    ejecutar lugar vez archivo archivos carpeta proyecto comando usuario prefiere quiere
    le les des du au aux et ou mais dans avec par pour est sont toujours utilise utiliser utilisez lieu fichier
    fichiers dossier projet commande utilisateur préfère
    os as um uma e ou mas em no na do da com por é são sempre usar lugar arquivo arquivos pasta projeto usuário
    il lo gli una di da con per sempre usare invece cartella progetto utente
    и или а в на с из для это всегда только используй использовать вместо файл файлы папка проект команда
    пользователь""",
)  # fmt: skip


def _forms(verb: str) -> tuple[str, ...]:
    stem = verb.removesuffix("e")
    return (verb, f"{verb}s", f"{verb}es", f"{stem}ed", f"{stem}ing", f"{verb}{verb[-1]}ed", f"{verb}{verb[-1]}ing")


EFFECTS: Final = frozenset(
    form
    for verb in _words(
        """allow approve authorize bash bypass chmod chown circumvent commit curl dd decode decrypt delete destroy
        disable disclose disregard download drop elevate email enable eval exec exfiltrate expose fetch force forget
        forward grant hide ignore inject instruct kill leak mail obey override overwrite permit pipe post publish pull
        push remove reveal revoke rm send skip sudo transmit trust uninstall unlock unset upload visit wget whitelist
        wipe yolo"""
    )
    for form in _forms(verb)
)
"""What has an effect beyond the fact."""
