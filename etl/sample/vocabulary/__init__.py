"""What the sample is made of: real places, names, software and sentences in seven languages. Data only."""
