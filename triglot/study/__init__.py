"""Runs and studies: settings become data, encoders, training, evaluation and a report.

`run.run` is one run, `arms.study` a study.
"""
