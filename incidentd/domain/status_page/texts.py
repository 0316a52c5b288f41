"""The built-in public texts in the languages that the page speaks."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from incidentd.domain.status_page.words import WORDS, Status

_EN: Final = {
    "title": "{components}: {effect}",
    "investigating": "We are investigating a problem with {components}.",
    "identified": "We know of the problem with {components} and are working on it.",
    "monitoring": "The problem with {components} seems to be solved. We keep watching.",
    "resolved": "The problem with {components} is solved.",
    "scheduled": "Maintenance of {components} is planned.",
    "in_progress": "Maintenance of {components} has begun.",
    "verifying": "Maintenance of {components} is done, and is being verified.",
    "completed": "Maintenance of {components} is completed.",
    "cancelled": "Maintenance of {components} was cancelled.",
    "stale_title": "Monitoring data is delayed",
    "stale": "Our monitoring is not reporting. What this page shows may be out of date.",
    "stale_over": "Our monitoring reports again.",
}
_DE: Final = {
    "title": "{components}: {effect}",
    "investigating": "Wir untersuchen ein Problem mit {components}.",
    "identified": "Wir kennen das Problem mit {components} und arbeiten daran.",
    "monitoring": "Das Problem mit {components} scheint behoben. Wir beobachten weiter.",
    "resolved": "Das Problem mit {components} ist behoben.",
    "scheduled": "Eine Wartung ist geplant: {components}.",
    "in_progress": "Die Wartung hat begonnen: {components}.",
    "verifying": "Die Wartung ist getan und wird geprüft: {components}.",
    "completed": "Die Wartung ist abgeschlossen: {components}.",
    "cancelled": "Die Wartung wurde abgesagt: {components}.",
    "stale_title": "Überwachungsdaten sind verzögert",
    "stale": "Unsere Überwachung meldet sich nicht. Was diese Seite zeigt, kann veraltet sein.",
    "stale_over": "Unsere Überwachung meldet sich wieder.",
}
_FR: Final = {
    "title": "{components} : {effect}",
    "investigating": "Nous analysons un problème concernant {components}.",
    "identified": "Le problème concernant {components} est connu et nous y travaillons.",
    "monitoring": "Le problème concernant {components} semble résolu. Nous restons attentifs.",
    "resolved": "Le problème concernant {components} est résolu.",
    "scheduled": "Une maintenance est prévue : {components}.",
    "in_progress": "La maintenance a commencé : {components}.",
    "verifying": "La maintenance est faite et en cours de vérification : {components}.",
    "completed": "La maintenance est terminée : {components}.",
    "cancelled": "La maintenance a été annulée : {components}.",
    "stale_title": "Données de surveillance en retard",
    "stale": "Notre surveillance ne répond pas. Cette page n’est peut-être pas à jour.",
    "stale_over": "Notre surveillance répond à nouveau.",
}
_ES: Final = {
    "title": "{components}: {effect}",
    "investigating": "Estamos investigando un problema con {components}.",
    "identified": "Conocemos el problema con {components} y trabajamos en él.",
    "monitoring": "El problema con {components} parece resuelto. Seguimos observando.",
    "resolved": "El problema con {components} está resuelto.",
    "scheduled": "Mantenimiento programado: {components}.",
    "in_progress": "El mantenimiento ha comenzado: {components}.",
    "verifying": "El mantenimiento está hecho y en verificación: {components}.",
    "completed": "El mantenimiento ha terminado: {components}.",
    "cancelled": "El mantenimiento se ha cancelado: {components}.",
    "stale_title": "Los datos de supervisión llegan con retraso",
    "stale": "Nuestra supervisión no responde. Lo que muestra esta página puede no estar al día.",
    "stale_over": "Nuestra supervisión responde de nuevo.",
}
_TEXTS: Final = {"en": _EN, "de": _DE, "fr": _FR, "es": _ES}
TEXTS: Final[Mapping[str, str]] = MappingProxyType(_EN)
"""The built-in public texts, by what they are for."""
_AND: Final = {"en": "and", "de": "und", "fr": "et", "es": "y"}
_EFFECTS: Final = {
    "de": ("in Betrieb", "in Wartung", "eingeschränkte Leistung", "Teilausfall", "schwerer Ausfall"),
    "fr": ("opérationnel", "en maintenance", "performances dégradées", "panne partielle", "panne majeure"),
    "es": (
        "operativo", "en mantenimiento", "rendimiento degradado", "interrupción parcial", "interrupción grave",
    ),
}  # fmt: skip


def _language(tag: str) -> str:
    return tag.partition("-")[0].lower()


def texts_in(tag: str) -> Mapping[str, str]:
    """The built-in texts in this language, or in English."""
    return _TEXTS.get(_language(tag), _EN)


def effect_in(tag: str, status: Status) -> str:
    """How texts say a status."""
    words = _EFFECTS.get(_language(tag))
    return WORDS[status] if words is None else words[status.rank]


def listed_in(tag: str, names: list[str]) -> str:
    """`A, B and C`."""
    joint = f" {_AND.get(_language(tag), 'and')} "
    return joint.join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
