"""Dispatch of circuits to IonQ."""
