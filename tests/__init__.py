"""Tests mirror the packages; a test is named after the promise or the fault that it guards."""
