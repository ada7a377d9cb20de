"""What earlier builds made: a folder of this machine, and a bucket that machines share behind it."""
