"""The paper's experiments (scaling, inheritance, ablation): runs of training and evaluation, and what they show."""
