"""The terms of the page, each with what it means in a sentence."""

from convscope.report.texts import glossary

TERMS = glossary()
