package ProxyUser::Faults::Machine;

# What the machine or its operator can do to nginx: no room on the disk, none
# in the zone, a clock that jumps, descriptors that run out, reloads and kills
# without a pause. Users are in a real Redis that is well all the time.
#
#   my @line = machine_faults(each => sub { ... }, only => qr/disk/,
#                             seconds => 2, storm => 60);

use strict;
use warnings;

use Exporter qw(import);
use Time::HiRes qw(sleep time);

use ProxyUser;
use ProxyUser::Faults;
use ProxyUser::Store qw(as store_server warm within);

our @EXPORT = qw(machine_faults);

my $LIMIT = 1 + 1;
my $tmp;

# What they want is decided, and answered without opening a file.
my $SERVER = <<'END';
location = /gif { empty_gif; }
location = /gif-admin { proxy_user_role admin; empty_gif; }
END


sub callers {
    my ($uri, %opt) = @_;

    seed_user(id => user_id(1), sub => 'known');
    seed_user(id => user_id(2), sub => 'gone', state => 'suspended');
    my $known = as('known', iat => undef);
    my $spread = $opt{users} // 1_000_000;
    my $turn = 0;

    return (
        caller_of('known', token => $known, uri => $uri, allow => 1,
                  id => qr/^\Q@{[ user_id(1) ]}\E$/, right => qr/^200 ok$/),
        caller_of('new', uri => $uri, allow => 1, right => qr/^200 ok$/,
                  also => $opt{unsure},
                  token => sub { as("m-$_[0]-" . $turn++ % $spread,
                                    iat => undef) }),
        caller_of('suspended', token => as('gone', iat => undef),
                  uri => $uri, right => qr/^403 user_suspended$/),
        caller_of('forged', uri => $uri, right => qr/^401 token_signature$/,
                  token => tamper($known, 2, sub { $_[0] ^ "\1" })),
        caller_of('no role', token => $known, uri => "$uri-admin",
                  right => qr/^403 role_missing$/),
        caller_of('nobody', uri => $uri, right => qr/^401 no_credential$/),
    );
}


sub start {
    my (%opt) = @_;

    my $http = 'proxy_user_redis unix:$TEST_NGINX_REDIS_SOCKET timeout=1s;'
        . "\nkeepalive_requests 1000000;\n" . ($opt{http} // '');
    return start_nginx(workers => 2, %opt, http => $http,
                       server => store_server($SERVER));
}


my @fault = (
    ['the disk is full' => \&disk],
    ['the zone is full' => \&zone],
    ['the clock is set a day ahead' => sub { clock($_[0], 86400) }],
    ['the clock is set a day back' => sub { clock($_[0], -86400) }],
    ['no descriptors are left' => \&descriptors],
    ['a reload every 100 ms, a worker killed every 500 ms' => \&storm],
);


sub machine_faults {
    my (%opt) = @_;

    $tmp = $ENV{TEST_NGINX_TMP};
    redis_start();
    my @line;

    for (@fault) {
        my ($title, $run) = @$_;
        next unless "machine: $title" =~ ($opt{only} // qr/./);
        my $line = $run->({ seconds => 2, %opt,
                            title => "machine: $title" });
        $opt{each}->($line) if $opt{each};
        push @line, $line;
    }

    return @line;
}


# The audit file takes nothing more, until it is another one.
sub disk {
    my ($opt) = @_;

    my $file = "$tmp/full-audit.log";
    symlink '/dev/full', $file or die "$file: $!\n";
    my $nginx = start(http => "proxy_user_audit $file;\n");
    my @caller = callers('/gif');
    warm($nginx);
    my $line = new_line($opt->{title}, nginx => $nginx, limit => $LIMIT);

    run_load($line, callers => \@caller, seconds => $opt->{seconds},
        end => sub {
            unlink $file;
            $nginx->signal('USR1');
            within(10, sub { -s $file || !$nginx->ask(
                $caller[0]{ask}->('x')) })
                // ($line->{lost} = 1);
        });

    # Each worker says so once.
    my $said = () = read_file("$nginx->{root}/logs/error.log")
        =~ /the audit line could not be written/g;
    $line->note("$said lines about it in the error log"), $line->{lost} = 1
        if $said < 1 || $said > 2;
    $line->note('no audit lines after it'), $line->{lost} = 1
        unless wait_audit($file, 1);
    $nginx->stop;
    return $line;
}


# Eight pages for a thousand users and their tokens.
sub zone {
    my ($opt) = @_;

    my $nginx = start(http => "proxy_user_zone 32k;\n");
    my @caller = callers('/gif', users => 1000);
    warm($nginx);
    my $line = new_line($opt->{title}, nginx => $nginx, limit => $LIMIT);
    run_load($line, callers => [@caller, ($caller[1]) x 8], clients => 3,
             per_second => 1000, seconds => 2 * $opt->{seconds},
             back => \@caller);
    $nginx->stop;
    return $line;
}


# Who came before the step, who comes after it, and who is suspended by then.
sub clock {
    my ($opt, $step) = @_;

    my $file = write_file('clock', pack 'q', 0);
    my $set = sub {
        open my $out, '+<:raw', $file or die "$file: $!\n";
        syswrite $out, pack 'q', $_[0];
        close $out;
    };

    my $nginx = do {
        local $ENV{FAULT_CLOCK} = $file;
        local $ENV{LD_PRELOAD} = shim('clock');
        start();
    };
    my @caller = callers('/gif');
    seed_user(id => user_id(3), sub => 'later');
    my $soon = time + 3600;
    my $later = caller_of('suspended meanwhile', uri => '/gif', allow => 1,
        token => as('later', iat => undef),
        right => qr/^(?:200 ok|403 user_suspended)$/);
    my $short = caller_of('a token for an hour', uri => '/gif', allow => 1,
        token => as('known', iat => undef, exp => $soon),
        right => qr/^200 ok$/,
        $step > 0 ? (also => qr/^401 token_expired$/) : ());
    warm($nginx);
    my $line = new_line($opt->{title}, nginx => $nginx, limit => $LIMIT);

    run_load($line, callers => [@caller, $later, $short],
        seconds => $opt->{seconds}, begin => sub { $set->($step) },
        during => sub {
            sleep $_[0];
            my ($answer) = $line->ask_once($short, 'x');
            my $is = $answer->{status};
            my $ought = $step > 0 ? 401 : 200;
            $line->{allowed}++, $line->note("its hour is over: $is")
                if $is != $ought;

            change_user(user_id(3), 'suspend', state => 'suspended');
            my $s = within(5, sub {
                ($line->ask_once($later, 'x'))[0]{status} == 403 });
            $line->{allowed}++, $line->note('suspended, and still let in')
                if ($s // 9) > 1.5;
        },
        end => sub { $set->(0) });
    $nginx->stop;
    return $line;
}


# More clients than a worker has descriptors, and the one to Redis is cut:
# those who have a connection are answered, nobody else is let in by that.
sub descriptors {
    my ($opt) = @_;

    my $nginx = start(workers => 1, main => "worker_rlimit_nofile 32;\n",
        expect => qr/Too many open files|worker_connections|open socket/);
    my @caller = callers('/gif', unsure => qr/^503 store_unavailable$/);
    warm($nginx);
    my @hog;
    my $line = new_line($opt->{title}, nginx => $nginx, limit => $LIMIT);

    run_load($line, callers => \@caller, seconds => $opt->{seconds},
        during => sub {
            for (1 .. 60) {
                my $c = eval { $nginx->connect } or last;
                $c->ask('GET', '/gif');
                push @hog, $c;
            }

            for (1 .. 4) {
                redis('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
                sleep $_[0] / 4;
            }
        },
        end => sub { $_->close for @hog });

    $line->note('descriptors did not run out'), $line->{lost} = 1
        unless $nginx->log =~ /Too many open files/;
    $nginx->stop;
    return $line;
}


# Connections that a killed worker had get no answer; the next one does.
sub storm {
    my ($opt) = @_;

    my $nginx = start(expect => qr/exited on signal 9|was locked by|open socket/);
    my @caller = callers('/gif');
    warm($nginx);
    my $line = new_line($opt->{title}, nginx => $nginx, changing => 1,
                        killed => 9, limit => 5);

    run_load($line, callers => \@caller, seconds => $opt->{storm} // 60,
        clients => 3,
        during => sub {
            my $end = time + $_[0];
            my $kill = time + 0.5;

            while (time < $end) {
                $nginx->signal('HUP');

                if (time >= $kill) {
                    my ($pid) = sort $nginx->workers;
                    kill KILL => $pid if $pid;
                    $kill += 0.5;
                }

                sleep 0.1;
            }
        });

    $line->note('old workers stay'), $line->{lost} = 1
        unless defined within(20, sub { $nginx->workers(
            qr/^nginx: worker process is shutting down/) == 0 });
    $nginx->stop;
    return $line;
}


1;
