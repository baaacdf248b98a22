"""Run folders and the jobs that fill them: run.py makes a run or finds one again, tracking/ logs it elsewhere."""
