"""The conditions that a picture was taken under, compared with those of the training pictures.

A model answers on every picture, also on one from a lamp, lens or camera that it has never seen.
Five plain measures tell when that is so. Four are of the grey values (ITU-R 601 luma):

- *brightness*: the mean grey level, 0 to 255;
- *contrast*: the standard deviation of the grey levels, known as RMS contrast (Peli, "Contrast in
  complex images", 1990);
- *sharpness*: 1 less the blur of Crete et al. ("The blur effect: perception and estimation with a
  new no-reference perceptual blur metric", 2007): the share of the differences between neighbours
  that is lost when the picture is blurred once more, along the axis that loses less; neither the
  light nor the contrast changes it;
- *noise*: its standard deviation in grey levels, by the operator of Immerkær ("Fast noise variance
  estimation", 1996), which answers neither to slopes nor to straight edges along the axes, and of
  its answers the median, which other structure hardly moves (Donoho, "De-noising by
  soft-thresholding", 1995);

and the fifth is the *size*, width and height.
"""

from segnet_res.conditions.known import FolderConditions, KnownConditions, judge_conditions
from segnet_res.conditions.measuring import Conditions, measure

__all__ = ["Conditions", "FolderConditions", "KnownConditions", "judge_conditions", "measure"]
