"""The papers whose methods or data the library uses."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    """One publication.

    Args:
        key: BibTeX key, and the name in `PAPERS`.
        title, year: as printed.
        authors: full names if known, in printed order.
        venue: conference, journal or school.
        url: of its text, or of the dataset it introduces.
        kind: BibTeX entry type: `"inproceedings"`, `"article"` or `"phdthesis"`.
    """

    key: str
    title: str
    authors: tuple[str, ...]
    year: int
    venue: str
    url: str
    kind: str = "inproceedings"

    @property
    def reference(self) -> str:
        """One line for people, for example `A, B: Title. Venue, 2021`."""
        return f"{', '.join(self.authors)}: {self.title}. {self.venue}, {self.year}."

    @property
    def bibtex(self) -> str:
        """The BibTeX entry; double braces keep the capitals of the title."""
        venue_field = {"inproceedings": "booktitle", "article": "journal", "phdthesis": "school"}[self.kind]
        fields = {
            "title": f"{{{self.title}}}",
            "author": " and ".join(self.authors),
            venue_field: self.venue,
            "year": str(self.year),
            "url": self.url,
        }
        lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
        return f"@{self.kind}{{{self.key},\n{lines}\n}}"


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(", "))


_YANG = ("Di Yang", "Yaohui Wang", "Antitza Dantcheva", "Lorenzo Garattoni", "Gianpiero Francesca", "François Brémond")

PAPERS: dict[str, Paper] = {
    paper.key: paper
    for paper in (
        # Methods
        Paper(
            "yang2021unik",
            "UNIK: A Unified Framework for Real-world Skeleton-based Action Recognition",
            _YANG,
            2021,
            "British Machine Vision Conference (BMVC)",
            "https://arxiv.org/abs/2107.08580",
        ),
        Paper(
            "yan2018stgcn",
            "Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action Recognition",
            ("Sijie Yan", "Yuanjun Xiong", "Dahua Lin"),
            2018,
            "AAAI Conference on Artificial Intelligence",
            "https://arxiv.org/abs/1801.07455",
        ),
        Paper(
            "shi2019agcn",
            "Two-Stream Adaptive Graph Convolutional Networks for Skeleton-Based Action Recognition",
            ("Lei Shi", "Yifan Zhang", "Jian Cheng", "Hanqing Lu"),
            2019,
            "IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)",
            "https://arxiv.org/abs/1805.07694",
        ),
        Paper(
            "yang2024via",
            "View-invariant Skeleton Action Representation Learning via Motion Retargeting",
            _YANG,
            2024,
            "International Journal of Computer Vision (IJCV)",
            "https://doi.org/10.1007/s11263-023-01967-8",
            kind="article",
        ),
        Paper(
            "yang2023lac",
            "LAC: Latent Action Composition for Skeleton-based Action Segmentation",
            (*_YANG[:3], "Quan Kong", *_YANG[3:]),
            2023,
            "IEEE/CVF International Conference on Computer Vision (ICCV)",
            "https://arxiv.org/abs/2308.14500",
        ),
        Paper(
            "yang2021orvpe",
            "Self-Supervised Video Pose Representation Learning for Occlusion-Robust Action Recognition",
            _YANG,
            2021,
            "IEEE International Conference on Automatic Face and Gesture Recognition (FG)",
            "https://hal.science/hal-03476564",
        ),
        Paper(
            "zhao2021cvmim",
            "Learning View-Disentangled Human Pose Representation by Contrastive Cross-View Mutual Information "
            "Maximization",
            _names(
                "Long Zhao, Yuxiao Wang, Jiaping Zhao, Liangzhe Yuan, Jennifer J. Sun, Florian Schroff, "
                "Hartwig Adam, Xi Peng, Dimitris Metaxas, Ting Liu"
            ),
            2021,
            "IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)",
            "https://arxiv.org/abs/2012.01405",
        ),
        Paper(
            "sardari2021uvi",
            "Unsupervised View-Invariant Human Posture Representation",
            ("Faegheh Sardari", "Björn Ommer", "Majid Mirmehdi"),
            2021,
            "British Machine Vision Conference (BMVC)",
            "https://arxiv.org/abs/2109.08730",
        ),
        Paper(
            "yang2024thesis",
            "Learning effective video representations for action recognition",
            ("Di Yang",),
            2024,
            "Université Côte d'Azur",
            "https://theses.hal.science/tel-04558781",
            kind="phdthesis",
        ),
        Paper(
            "aberman2019retargeting",
            "Learning Character-Agnostic Motion for Motion Retargeting in 2D",
            ("Kfir Aberman", "Rundi Wu", "Dani Lischinski", "Baoquan Chen", "Daniel Cohen-Or"),
            2019,
            "ACM Transactions on Graphics (SIGGRAPH)",
            "https://arxiv.org/abs/1905.01680",
            kind="article",
        ),
        # Datasets
        Paper(
            "wang2024internvid",
            "InternVid: A Large-scale Video-Text Dataset for Multimodal Understanding and Generation",
            _names(
                "Yi Wang, Yinan He, Yizhuo Li, Kunchang Li, Jiashuo Yu, Xin Ma, Xinhao Li, Guo Chen, Xinyuan Chen, "
                "Yaohui Wang, Ping Luo, Ziwei Liu, Yali Wang, Limin Wang, Yu Qiao"
            ),
            2024,
            "International Conference on Learning Representations (ICLR)",
            "https://arxiv.org/abs/2307.06942",
        ),
        Paper(
            "feichtenhofer2019slowfast",
            "SlowFast Networks for Video Recognition",
            ("Christoph Feichtenhofer", "Haoqi Fan", "Jitendra Malik", "Kaiming He"),
            2019,
            "IEEE/CVF International Conference on Computer Vision (ICCV)",
            "https://arxiv.org/abs/1812.03982",
        ),
        Paper(
            "feichtenhofer2021largescale",
            "A Large-Scale Study on Unsupervised Spatiotemporal Representation Learning",
            ("Christoph Feichtenhofer", "Haoqi Fan", "Bo Xiong", "Ross Girshick", "Kaiming He"),
            2021,
            "IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)",
            "https://arxiv.org/abs/2104.14558",
        ),
        Paper(
            "yang2023ltn",
            "Self-Supervised Video Representation Learning via Latent Time Navigation",
            (*_YANG[:2], "Quan Kong", *_YANG[2:]),
            2023,
            "AAAI Conference on Artificial Intelligence (AAAI)",
            "https://arxiv.org/abs/2305.06437",
        ),
        Paper(
            "wang2014nucla",
            "Cross-view Action Modeling, Learning and Recognition",
            ("Jiang Wang", "Xiaohan Nie", "Yin Xia", "Ying Wu", "Song-Chun Zhu"),
            2014,
            "IEEE Conference on Computer Vision and Pattern Recognition (CVPR)",
            "https://wangjiangb.github.io/my_data.html",
        ),
        Paper(
            "zhang2013penn",
            "From Actemes to Action: A Strongly-supervised Representation for Detailed Action Understanding",
            ("Weiyu Zhang", "Menglong Zhu", "Konstantinos G. Derpanis"),
            2013,
            "IEEE International Conference on Computer Vision (ICCV)",
            "https://dreamdragon.github.io/PennAction/",
        ),
        Paper(
            "chen2015utdmhad",
            "UTD-MHAD: A Multimodal Dataset for Human Action Recognition Utilizing a Depth Camera and a Wearable "
            "Inertial Sensor",
            ("Chen Chen", "Roozbeh Jafari", "Nasser Kehtarnavaz"),
            2015,
            "IEEE International Conference on Image Processing (ICIP)",
            "https://personal.utdallas.edu/~kehtar/UTD-MHAD.html",
        ),
        Paper(
            "shahroudy2016ntu",
            "NTU RGB+D: A Large Scale Dataset for 3D Human Activity Analysis",
            ("Amir Shahroudy", "Jun Liu", "Tian-Tsong Ng", "Gang Wang"),
            2016,
            "IEEE Conference on Computer Vision and Pattern Recognition (CVPR)",
            "https://rose1.ntu.edu.sg/dataset/actionRecognition/",
        ),
        Paper(
            "liu2020ntu120",
            "NTU RGB+D 120: A Large-Scale Benchmark for 3D Human Activity Understanding",
            ("Jun Liu", "Amir Shahroudy", "Mauricio Perez", "Gang Wang", "Ling-Yu Duan", "Alex C. Kot"),
            2020,
            "IEEE Transactions on Pattern Analysis and Machine Intelligence (TPAMI)",
            "https://rose1.ntu.edu.sg/dataset/actionRecognition/",
            kind="article",
        ),
        Paper(
            "das2019smarthome",
            "Toyota Smarthome: Real-World Activities of Daily Living",
            _names(
                "Srijan Das, Rui Dai, Michal Koperski, Luca Minciullo, Lorenzo Garattoni, François Brémond, "
                "Gianpiero Francesca"
            ),
            2019,
            "IEEE/CVF International Conference on Computer Vision (ICCV)",
            "https://project.inria.fr/toyotasmarthome/",
        ),
    )
}


def get_paper(key: str) -> Paper:
    """The paper `key`. Raises ValueError listing all keys."""
    if key not in PAPERS:
        raise ValueError(f"Unknown paper {key!r}; expected one of {sorted(PAPERS)}.")
    return PAPERS[key]
